"""What has a picture of its own, which is drawn only when a notebook shows it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nasbench.svg import Svg


class Pictured(ABC):
    """An object that notebooks show as a picture."""

    __slots__ = ()

    @abstractmethod
    def picture(self) -> Svg:
        """Return the object as a picture."""

    def _repr_svg_(self) -> str:
        return self.picture().alone()

    def _repr_html_(self) -> str:  # preferred by notebooks: a page's colours reach only into its elements
        return self.picture().inline()
