"""Published files: one module a format, each of which reads it into the arrays of a store."""
