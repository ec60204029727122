import pytest

from nasbench.errors import MissingDependencyError
from nasbench.runs.dependencies import required


def test_a_missing_package_is_an_error_that_says_how_to_get_it():
    with (
        pytest.raises(MissingDependencyError, match="TPE needs optuna: pip install optuna, or 'nas-too"),
        required("optuna", "TPE", "search"),
    ):
        import no_such_package  # noqa: F401


def test_what_is_installed_is_imported():
    with required("numpy", "a test", "search"):
        import numpy
    assert numpy.__name__ == "numpy"
