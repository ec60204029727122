"""The numbers of pickles that differ only in numbers and in a cell's name, read without unpickling them."""

import io
import pickletools
import re
from collections.abc import Callable
from typing import Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from nasbench.arrays import Values
from nasbench.build.sources import pickle_stream
from nasbench.build.sources.safe_pickle import Allowed

_MOST = 64  # templates that are kept, of about a megabyte each
_LARGEST = 4 << 20  # bytes of a pickle that a template is made of; those with weights are larger
_TWO_BYTE_INDICES = range(1 << 8, 1 << 16)  # pickled with another operation than other numbers
_FIRST = -1e15  # marks that replace numbers count down from here


class Templates:
    """Reads cells' pickles into vectors; a pickle built like an earlier one is read at its numbers' places.

    `extract(results, index)` gives the vector (W,) of a cell's unpickled results; it must only select
    numbers, never compute with them. A template is made so: the numbers of a pickle are replaced by their
    places, and the vector that `extract` gives then says which place each entry is from. A pickle that equals
    the template byte by byte, but for numbers and the cell's index and string, has its numbers at the same
    places; any other is unpickled.
    """

    def __init__(self, extract: Callable[[object, int], Values], allowed: Allowed, copies: int) -> None:
        """`copies`: how often a pickle has its cell's index."""
        self._extract = extract
        self._copies = copies
        self._allowed = allowed
        self._by_length: dict[int, list[_Template]] = {}  # by length of the pickle; the last used first
        self._met: set[int] = set()  # lengths
        self._count = 0

    def vector(self, data: bytes, index: int, arch: str, name: str) -> Values:
        """Return the vector of the cell with that index and string; `name`: of the file, for errors."""
        known = self._by_length.get(len(data), [])
        for place, template in enumerate(known):
            vector = template.read(data, index, arch)
            if vector is not None:
                if place:
                    known.insert(0, known.pop(place))
                return vector
        vector = self._unpickled(data, index, name)
        if (
            len(data) in self._met
            and self._count < _MOST
            and len(data) <= _LARGEST
            and index in _TWO_BYTE_INDICES
        ):
            self._count += 1
            built = _Template.build(
                data, index, arch, self._copies, lambda marked: self._unpickled(marked, index, name)
            )
            if built is not None:
                self._by_length.setdefault(len(data), []).insert(0, built)
        self._met.add(len(data))
        return vector

    def _unpickled(self, data: bytes, index: int, name: str) -> Values:
        return self._extract(pickle_stream.load(io.BytesIO(data).read, name, self._allowed), index)


class _Numbers(NamedTuple):
    """Numbers of one byte order."""

    order: Literal["<", ">"]
    places: NDArray[np.intp]  # in the pickle
    entries: NDArray[np.intp]  # of the vector


class _Template(NamedTuple):
    """A pickle without its numbers, its cell's index and string, and where these are."""

    pattern: NDArray[np.uint8]  # the bytes between the numbers
    mask: NDArray[np.uint8]  # 0 at a number, else 255
    index_at: list[int]  # the places of the index, two bytes
    arch_at: list[int]  # the places of the string
    arch_length: int
    numbers: list[_Numbers]
    constant: Values  # entries that are the same for all: NaN, and numbers that are no floats

    @classmethod
    def build(
        cls, data: bytes, index: int, arch: str, copies: int, extract: Callable[[bytes], Values]
    ) -> Self | None:
        """Return the template of a pickle, None if index and string are not distinct from other bytes."""
        places: dict[Literal["<", ">"], list[int]] = {">": [], "<": []}  # of numbers, by byte order
        index_at = []
        for op, value, place in pickletools.genops(data):
            if place is None:
                continue
            if op.name == "BINFLOAT":
                places[">"].append(place + 1)
            elif op.name == "SHORT_BINBYTES" and value is not None and len(value) == 8:
                places["<"].append(place + 2)
            elif op.name == "BININT2" and value == index:
                index_at.append(place + 1)
        encoded = arch.encode()
        arch_at = [match.start() for match in re.finditer(re.escape(encoded), data)]
        if len(index_at) != copies or not arch_at:
            return None
        marked = np.frombuffer(data, np.uint8).copy()
        mask = np.full(len(data), 255, np.uint8)
        for order, offsets in places.items():
            for offset in offsets:
                mark = np.array([_FIRST - offset], f"{order}f8")
                marked[offset : offset + 8] = mark.view(np.uint8)
                mask[offset : offset + 8] = 0
        vector = extract(marked.tobytes())
        entries = np.flatnonzero(vector <= _FIRST)
        origins = (_FIRST - vector[entries]).astype(np.intp)
        numbers = []
        for order, offsets in places.items():
            chosen = np.isin(origins, np.array(offsets, dtype=np.intp))
            numbers.append(_Numbers(order, origins[chosen], entries[chosen]))
        constant = vector.copy()
        constant[entries] = np.nan
        pattern = np.frombuffer(data, np.uint8) & mask
        return cls(pattern, mask, index_at, arch_at, len(encoded), numbers, constant)

    def read(self, data: bytes, index: int, arch: str) -> Values | None:
        """Return the vector of a pickle of this length, None if it is built otherwise."""
        encoded = arch.encode()
        if len(encoded) != self.arch_length or index not in _TWO_BYTE_INDICES:
            return None
        for places, text in ((self.index_at, index.to_bytes(2, "little")), (self.arch_at, encoded)):
            for place in places:
                self.pattern[place : place + len(text)] = np.frombuffer(text, np.uint8)
        if (np.frombuffer(data, np.uint8) & self.mask != self.pattern).any():
            return None
        vector = self.constant.copy()
        for order, offsets, entries in self.numbers:
            # A view that begins a number at every byte.
            numbers = np.ndarray((len(data) - 7,), f"{order}f8", data, strides=(1,))[offsets]
            if np.isnan(numbers).any():  # in the vector, NaN stands for values that are not recorded
                return None
            vector[entries] = numbers
        return vector
