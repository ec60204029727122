import pytest

from nasbench.console import call, print_table


def test_numbers_stand_to_the_right_and_text_to_the_left(capsys):
    print_table(("name", "value"), [("a", 1.5), ("long name", 123456789)])
    print_table(("empty", "table"), [])
    assert capsys.readouterr().out.splitlines() == [
        "name           value",
        "a                1.5",
        "long name  123456789",
        "empty  table",
    ]


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ValueError("three\tis wrong"), 2, "tool: error: three\tis wrong\n"),
        (MemoryError("4 GiB"), 2, "tool: error: not enough memory (4 GiB)\n"),
        (KeyboardInterrupt(), 130, "tool: interrupted\n"),
    ],
)
def test_exit_codes(capsys, error, code, line):
    def fail():
        raise error

    assert call(fail, "tool", ValueError) == code
    assert capsys.readouterr().err == line
    assert call(lambda: 0, "tool", ValueError) == 0


def test_an_error_of_another_kind_is_not_hidden():
    def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        call(fail, "tool", ValueError)
