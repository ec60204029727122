"""Parts that can be added to any method they support, one file each, with the paper."""
