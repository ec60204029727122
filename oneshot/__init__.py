"""Supernets that search by gradient: a graph language for spaces, its compiler, DARTS, GDAS and more."""
