"""Compiler from graphs to plans of fewer, wider kernels."""
