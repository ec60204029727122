"""Searches with many workers: processes on this machine, or the workers of a Dask scheduler."""
