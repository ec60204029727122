"""The two search spaces of the published tables, and the properties that their tables share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from nasbench.cell import CELLS, Cell, official_index, official_order
from nasbench.errors import InvalidArgumentError
from nasbench.size import SIZES, SizeCell, size_order

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from nasbench.arrays import Numbering
    from nasbench.coded import AnyCell, CodedCell


class Space(NamedTuple):
    """A search space with a published table; a cell is a row in the order of codes."""

    name: str  # as a store records it
    flag: str  # on the command line
    cells: int
    cell: type[CodedCell]
    code_of: Callable[[AnyCell], int]  # from any name of a cell to its code
    official_order: Callable[[], Numbering]  # the code of each official index, (N,)
    official_index: Callable[[], Numbering]  # the official index of each code, (N,)
    protocols: tuple[int, ...]  # epochs of the published training runs
    full_protocol: int  # the one that papers report
    signal_protocol: int  # its validation guides the searches of the NATS-Bench paper
    summary: str


TOPOLOGY = Space(
    "NAS-Bench-201",
    "tss",
    CELLS,
    Cell,
    Cell.parse_code,
    official_order,
    official_index,
    protocols=(12, 200),
    full_protocol=200,
    signal_protocol=12,
    summary="NAS-Bench-201, the topology space of NATS-Bench: 15,625 cells of six operations",
)
SIZE = Space(
    "NATS-Bench size space",
    "sss",
    SIZES,
    SizeCell,
    SizeCell.parse_code,
    size_order,
    size_order,
    protocols=(1, 12, 90),
    full_protocol=90,
    signal_protocol=12,
    summary="the size space of NATS-Bench: 32,768 networks of five widths",
)
SPACES = {space.flag: space for space in (TOPOLOGY, SIZE)}


def space_of(flag: object) -> Space:
    """Return the Space of a flag; InvalidArgumentError lists the flags if there is none."""
    try:
        return SPACES[flag]  # type: ignore[index]  # a value of any type is looked up
    except (KeyError, TypeError):
        raise InvalidArgumentError(f"unknown space {flag!r}; the spaces are {', '.join(SPACES)}") from None


def space_named(name: object) -> Space | None:
    """Return the Space that a store records by that name, None if it is unknown."""
    return next((space for space in SPACES.values() if space.name == name), None)


def add_space_flag(parser: ArgumentParser) -> None:
    """Add the flag that names a space of the published tables."""
    spaces = "; ".join(f"{flag}: {space.summary}" for flag, space in SPACES.items())
    parser.add_argument(
        "--space", metavar="SPACE", choices=SPACES, help=f"{spaces} (default: that of the store)"
    )
