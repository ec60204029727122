"""The objective of the golden run of workers."""


def convolutions(cell: str) -> int:
    """Return how many of a cell's edges are convolutions."""
    return cell.count("conv")
