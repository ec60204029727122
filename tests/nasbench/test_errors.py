import pytest

from nasbench.errors import one_line, printable, shown

nested = value = []
for _ in range(5000):
    value.append([])
    value = value[0]
doubled = []
for _ in range(60):
    doubled = [doubled, doubled]


@pytest.mark.parametrize(
    "value",
    [
        "x" * 5000,
        "\x1b\n" * 5000,
        b"\0" * 5000,
        nested,
        doubled,
        {"k\n" * 50: {i: "v" * 50 for i in range(50)}},
        set("abcdefghij"),
    ],
)
def test_a_value_is_shown_in_one_short_line(value):
    assert len(shown(value)) <= 100
    assert shown(value).isprintable()


def test_a_short_value_is_shown_as_it_is():
    for value in ("a", 1.5, None, [1, "b"], {"a": 1}, ("cifar10", 777)):
        assert shown(value) == repr(value)


def test_what_an_error_says_is_one_short_line():
    assert one_line(KeyError("a")) == "it has no 'a'"
    assert one_line(ValueError("a\nb\x1b")) == r"a b\x1b"
    assert one_line(ValueError("x" * 1000)) == "x" * 297 + "..."


def test_control_characters_are_escaped_and_letters_kept():
    assert printable("ä\tb") == "ä\tb"
    assert printable("a\nb\x1b\x85\u2028\ud800") == r"a\nb\x1b\x85\u2028\ud800"
