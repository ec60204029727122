"""Build stores from the published files."""

from typing import TYPE_CHECKING

from nasbench.faces import lazy

if TYPE_CHECKING:
    from nasbench.build.builder import build as build

__all__ = ["build"]
__getattr__ = lazy({"build": "nasbench.build.builder"})
