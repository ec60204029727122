"""Ask-and-tell searches: their base, their state and the loop that runs them."""

from blackbox.search.base import FAILED, Search, run

__all__ = ["FAILED", "Search", "run"]
