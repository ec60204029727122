"""Searches by gradient with one supernet."""

from typing import TYPE_CHECKING

from nasbench.faces import lazy

if TYPE_CHECKING:
    from oneshot.search.reopened import Reopened as Reopened
    from oneshot.search.reopened import reopen as reopen
    from oneshot.search.session import Result as Result
    from oneshot.search.session import resume as resume
    from oneshot.search.session import search as search
    from oneshot.search.settings import Places as Places
    from oneshot.search.settings import SearchSettings as SearchSettings

_MODULES = {
    "Places": "oneshot.search.settings",
    "Reopened": "oneshot.search.reopened",
    "Result": "oneshot.search.session",
    "SearchSettings": "oneshot.search.settings",
    "reopen": "oneshot.search.reopened",
    "resume": "oneshot.search.session",
    "search": "oneshot.search.session",
}
__all__ = list(_MODULES)
__getattr__ = lazy(_MODULES)
