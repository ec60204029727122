"""Base class of objects with a picture, which is drawn only when a notebook shows it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nasbench.svg import Svg


class Pictured(ABC):
    """Base class of objects that notebooks show as a picture."""

    __slots__ = ()

    @abstractmethod
    def picture(self) -> Svg:
        """Return the object as a picture."""

    def _repr_svg_(self) -> str:
        return self.picture().alone()

    def _repr_html_(self) -> str:  # preferred by notebooks; an inline element inherits the page's colours
        return self.picture().inline()
