"""Runs as one page for the browser: `python -m blackbox.report`."""
