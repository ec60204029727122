"""Readers of the published files, one per layout."""
