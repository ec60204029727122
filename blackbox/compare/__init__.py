"""Comparisons of algorithms on one table, with many trials and statistics (`python -m blackbox.compare`)."""
