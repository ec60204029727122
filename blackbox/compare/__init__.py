"""Several algorithms on one table: many trials of each, and the statistics (`python -m blackbox.compare`)."""
