"""An interactive page of a whole table: `python -m nasbench explore --out explorer.html`."""
