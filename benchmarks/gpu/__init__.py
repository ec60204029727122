"""Correctness, speed and complete runs on one GPU (`python -m benchmarks.gpu`)."""
