"""Rank correlation of a supernet with the benchmark."""
