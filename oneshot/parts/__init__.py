"""Parts that any method can be combined with: one file each, with its paper."""
