"""Test suites for custom searches and predictors; they need pytest.

The suites check what every search must do: the same seed gives the same trace, codes are in the space, trials
are independent, runs resume exactly, pending and failed evaluations are handled. Your test class inherits
one:

>>> from blackbox.rs import RandomSearch
>>> from blackbox.testing import SearchContract
>>> class TestRandomSearch(SearchContract):  # in a test file; pytest collects it
...     search_class = RandomSearch

There are suites for subclasses of `Search` (`SearchContract`), `ModelBasedSearch` (`ModelBasedContract`),
`MultiFidelitySearch` (`MultiFidelityContract`) and `LearnedPredictor` (`LearnedPredictorContract`).
"""

import pytest

pytest.register_assert_rewrite(
    *(f"{__name__}.{module}" for module in ("fidelity", "model_based", "predictors", "searches"))
)

from blackbox.testing.fidelity import MultiFidelityContract  # noqa: E402
from blackbox.testing.model_based import ModelBasedContract  # noqa: E402
from blackbox.testing.predictors import LearnedPredictorContract  # noqa: E402
from blackbox.testing.searches import SearchContract  # noqa: E402

__all__ = ["LearnedPredictorContract", "ModelBasedContract", "MultiFidelityContract", "SearchContract"]
