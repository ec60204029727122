import pytest

from nasbench.runs.text import counted, duration, format_rows, format_table, join_blocks


def test_numbers_stand_to_the_right_and_text_to_the_left():
    assert format_table(("name", "value"), [("a", 1.5), ("long name", 123456789)]).splitlines() == [
        "name           value",
        "a                1.5",
        "long name  123456789",
    ]
    assert format_table(("empty", "table"), []) == "empty  table"


def test_rows_have_a_label():
    assert format_rows([("index", 6111), ("", "more")]) == "index           6111\n                more"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 seconds"),
        (0.123, "0.12 seconds"),
        (1, "1 second"),
        (5.0, "5 seconds"),
        (119.4, "119 seconds"),
        (120, "2.0 minutes"),
        (7_200, "2.0 hours"),
        (172_800, "2.0 days"),
        (1e9, "11,574.1 days"),
    ],
)
def test_durations_are_in_the_largest_unit_of_which_there_are_two(seconds, text):
    assert duration(seconds) == text


def test_numbers_of_things():
    assert [counted(number, "epoch") for number in (0, 1, 2000)] == ["0 epochs", "1 epoch", "2,000 epochs"]


def test_blocks_have_an_empty_line_between_them():
    assert join_blocks("a\nb", "", "c") == "a\nb\n\nc"
