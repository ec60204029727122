"""Training of networks: images, checkpoints, metrics and multiple processes."""
