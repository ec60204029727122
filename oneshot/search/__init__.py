"""Searches by gradient with one supernet."""

from typing import TYPE_CHECKING

from nasbench.faces import lazy, public_names

if TYPE_CHECKING:
    from oneshot.search.reopened import ReopenedSearch as ReopenedSearch
    from oneshot.search.reopened import reopen as reopen
    from oneshot.search.report import SearchResult as SearchResult
    from oneshot.search.session import resume as resume
    from oneshot.search.session import search as search
    from oneshot.search.settings import SearchSettings as SearchSettings
    from oneshot.training.environment import Environment as Environment

_MODULES = public_names(__file__)
__all__ = list(_MODULES)
__getattr__ = lazy(_MODULES)
