"""The two search spaces of the published tables and their properties."""

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
    """A search space with a published table."""

    #: name that a store records
    name: str
    #: name on the command line, such as `tss`
    flag: str
    #: number of cells, N
    cells: int
    #: class of the cells
    cell: type[CodedCell]
    #: function that returns the code of a cell in any notation
    code_of: Callable[[AnyCell], int]
    #: function that returns the code of each official index, shape ``(N,)``
    official_order: Callable[[], Numbering]
    #: function that returns the official index of each code, shape ``(N,)``
    official_index: Callable[[], Numbering]
    #: epochs of the published training runs
    protocols: tuple[int, ...]
    #: epochs of the protocol that papers report
    full_protocol: int
    #: epochs of the protocol whose validation guides the searches of the NATS-Bench paper
    signal_protocol: int
    #: description in one line
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


def get_space(flag: object) -> Space:
    """Return the space with a flag; raise InvalidArgumentError if there is none."""
    try:
        return SPACES[flag]  # type: ignore[index]  # may be of any type
    except (KeyError, TypeError):
        raise InvalidArgumentError(f"unknown space {flag!r}; the spaces are {', '.join(SPACES)}") from None


def space_named(name: object) -> Space | None:
    """Return the space with the name that a store records; None if it is unknown."""
    return next((space for space in SPACES.values() if space.name == name), None)


def add_space_flag(parser: ArgumentParser) -> None:
    """Add the flag `--space` to a parser."""
    spaces = "; ".join(f"{flag}: {space.summary}" for flag, space in SPACES.items())
    parser.add_argument(
        "--space", metavar="SPACE", choices=SPACES, help=f"{spaces} (default: the store's space)"
    )
