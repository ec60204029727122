"""Zero-cost proxies: scores of networks that need no training, only a batch of images, or not even that."""
