"""The test suite for searches with a model that need an optional package."""

import sys

import pytest

from blackbox.errors import MissingDependencyError
from blackbox.testing import ModelBasedContract


class OptionalPackageContract(ModelBasedContract):
    """The test suite for such a search; a subclass also sets `needed`, the module of the package."""

    needed = None

    def test_a_missing_package_is_an_error_before_the_first_evaluation(self, monkeypatch):
        monkeypatch.setitem(sys.modules, self.needed, None)
        with pytest.raises(MissingDependencyError, match=r"pip install .*'nas-toolkit\[search\]'"):
            self.make()
