"""Ask-and-tell searches: base classes, state and the loop that runs them."""

from blackbox.search.base import Search
from blackbox.search.loop import run
from blackbox.search.scores import FAILED

__all__ = ["FAILED", "Search", "run"]
