"""Methods that search a space with one supernet."""
