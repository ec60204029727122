"""Searches whose cells are evaluated by many workers: processes of this machine, or of many."""
