"""Several methods, several seeds of each: the table that papers print."""
