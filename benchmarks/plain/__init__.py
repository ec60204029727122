"""The networks of the benchmarks as one writes them first: every candidate of every edge a module."""
