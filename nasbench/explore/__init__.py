"""A whole table as one page: `python -m nasbench explore --out explorer.html`."""
