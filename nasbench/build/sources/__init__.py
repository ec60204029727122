"""Readers of published files, one per format."""
