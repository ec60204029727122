"""Methods by their names."""

import pytest

from oneshot.errors import ConfigError
from oneshot.methods.base import MetaOptimizer
from oneshot.methods.registry import METHODS, get_method


@pytest.mark.parametrize("name", METHODS)
def test_each_name_is_a_method(name):
    assert issubclass(get_method(name), MetaOptimizer)
    assert get_method(METHODS[name]) is get_method(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("magic", "unknown method 'magic'; the methods are darts, gdas"),
        (3, "unknown method 3"),
        ("no_such_module:X", "cannot load the method 'no_such_module:X': No module named"),
        ("oneshot.methods.darts:Nothing", "has no attribute 'Nothing'"),
        (":X", "cannot load the method ':X'"),
        ("oneshot.methods.darts:DARTSConfig", "is not a subclass of oneshot.methods.base.MetaOptimizer"),
        ("math:pi", "is not a subclass"),
    ],
)
def test_what_is_no_method(name, message):
    with pytest.raises(ConfigError, match=message):
        get_method(name)
