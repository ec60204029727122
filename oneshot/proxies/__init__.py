"""Zero-cost proxies: scores of untrained networks, from at most one batch of images."""
