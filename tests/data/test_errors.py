import inspect

import pytest

from data import errors

ERRORS = [error for _, error in inspect.getmembers(errors, inspect.isclass) if error is not errors.DataError]


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_is_ours_a_builtin_and_prints_its_message(error):
    assert issubclass(error, errors.DataError)
    assert [base for base in error.__mro__ if base.__module__ == "builtins"][0] is not Exception
    assert error.__doc__
    assert str(error("what came, what would do")) == "what came, what would do"


def test_text_of_a_file_is_one_short_printable_line():
    assert errors.one_line(ValueError("a\nb\x1b[1m é")) == r"a b\x1b[1m é"
    assert len(errors.one_line("\x1b" * 1000)) == 300
