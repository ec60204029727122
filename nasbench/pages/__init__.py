"""Shared parts of HTML pages, each of which is one self-contained file."""
