"""The networks of the benchmarks in straightforward PyTorch: every candidate on every edge is a module."""
