"""The report of runs as one HTML page: `python -m blackbox.report`."""
