"""Comparison of methods over several seeds, as in the tables of papers."""
