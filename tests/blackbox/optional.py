"""What every search with a model that needs an optional package must do."""

import sys

import pytest

from blackbox.errors import MissingDependencyError
from blackbox.testing import ModelBasedContract


class OptionalPackageContract(ModelBasedContract):
    """A subclass also sets `needed`, a module that is not in the base installation."""

    needed = None

    def test_a_missing_package_is_an_error_before_the_first_evaluation(self, monkeypatch):
        monkeypatch.setitem(sys.modules, self.needed, None)
        with pytest.raises(MissingDependencyError, match=r"pip install .*'nas-toolkit\[search\]'"):
            self.make()
