"""Searches by gradient with one supernet."""

from typing import TYPE_CHECKING

from nasbench.faces import lazy

if TYPE_CHECKING:
    from oneshot.search.reopened import ReopenedSearch as ReopenedSearch
    from oneshot.search.reopened import reopen as reopen
    from oneshot.search.report import SearchResult as SearchResult
    from oneshot.search.session import resume as resume
    from oneshot.search.session import search as search
    from oneshot.search.settings import SearchSettings as SearchSettings
    from oneshot.training.environment import Environment as Environment

_MODULES = {
    "Environment": "oneshot.training.environment",
    "ReopenedSearch": "oneshot.search.reopened",
    "SearchResult": "oneshot.search.report",
    "SearchSettings": "oneshot.search.settings",
    "reopen": "oneshot.search.reopened",
    "resume": "oneshot.search.session",
    "search": "oneshot.search.session",
}
__all__ = list(_MODULES)
__getattr__ = lazy(_MODULES)
