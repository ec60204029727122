"""Training from scratch what a search found, and testing it: python -m oneshot.retrain."""
