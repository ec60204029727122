"""Where the boxes and arrows of a diagram are placed; needs no matplotlib."""
