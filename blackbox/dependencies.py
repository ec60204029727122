"""Packages that only some steps need."""

from nasbench.runs.dependencies import required as required
