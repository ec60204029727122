"""How reports put numbers."""


def counted(number, what):
    """A number of things.

    >>> counted(1, "epoch"), counted(2000, "epoch")
    ('1 epoch', '2,000 epochs')
    """
    return f"{number:,} {what}{'s' * (number != 1)}"


def duration(seconds):
    """Seconds in the unit that suits them."""
    if seconds < 10:
        return f"{seconds:.2g} seconds"
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:,.0f} second{'' if round(seconds) == 1 else 's'}"
