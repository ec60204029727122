"""One reader for each published format of images."""
