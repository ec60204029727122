from oneshot.search.reopened import ReopenedSearch as ReopenedSearch
from oneshot.search.reopened import reopen as reopen
from oneshot.search.report import SearchResult as SearchResult
from oneshot.search.session import resume as resume
from oneshot.search.session import search as search
from oneshot.search.settings import SearchSettings as SearchSettings
from oneshot.training.environment import Environment as Environment
