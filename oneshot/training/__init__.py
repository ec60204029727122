"""Training of networks: images, checkpoints, metrics, several processes."""
