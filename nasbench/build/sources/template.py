"""The numbers of pickles that differ only in numbers and in a cell's name, read without unpickling them."""

import io
import pickletools
import re

import numpy as np

from nasbench.build.sources import pickle_stream

_MOST = 64  # templates that are kept, of about a megabyte each
_LARGEST = 4 << 20  # bytes of a pickle that a template is made of; those with weights are larger
_TWO_BYTE_INDICES = range(1 << 8, 1 << 16)  # which are told from other numbers by how they are pickled
_FIRST = -1e15  # marks in the place of numbers count down from here


class Templates:
    """Reads cells' pickles into vectors; one that is built like an earlier one, at its numbers' places.

    `extract(results, index)` gives the vector (W,) of a cell's unpickled results; it must only select
    numbers, never compute with them. That is how a template is made: the numbers of a pickle are replaced by
    their places, and what `extract` makes of that says which place each entry of the vector is from. A pickle
    that equals the template byte by byte, but for numbers and the cell's index and string, has its numbers at
    the same places; any other is unpickled.
    """

    def __init__(self, extract, allowed, copies):
        """`copies`: how often a pickle has its cell's index."""
        self._extract = extract
        self._copies = copies
        self._allowed = allowed
        self._by_length = {}  # length of the pickle -> templates, that of the last pickle first
        self._met = set()  # lengths
        self._count = 0

    def vector(self, data, index, arch, name):
        """The vector of the cell with that index and string; `name` is the file's, for errors."""
        known = self._by_length.get(len(data), ())
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
            template = _Template.of(
                data, index, arch, self._copies, lambda marked: self._unpickled(marked, index, name)
            )
            if template is not None:
                self._by_length.setdefault(len(data), []).insert(0, template)
        self._met.add(len(data))
        return vector

    def _unpickled(self, data, index, name):
        return self._extract(pickle_stream.load(io.BytesIO(data).read, name, self._allowed), index)


class _Template:
    def __init__(self, pattern, mask, index_at, arch_at, arch_length, sources, vector):
        self._pattern = pattern  # the bytes between the numbers
        self._mask = mask  # 0 where a number is, else 255
        self._index_at = index_at  # where the index stands, two bytes
        self._arch_at = arch_at  # where the string stands
        self._arch_length = arch_length
        self._sources = sources  # [(byte order, places in the pickle, entries of the vector)]
        self._vector = vector  # what is the same for all: NaN, and numbers that are no floats

    @classmethod
    def of(cls, data, index, arch, copies, vector_of):
        """The template of a pickle, None where index and string cannot be told from other bytes."""
        big, little, index_at = [], [], []
        for op, value, place in pickletools.genops(data):
            if op.name == "BINFLOAT":
                big.append(place + 1)
            elif op.name == "SHORT_BINBYTES" and len(value) == 8:
                little.append(place + 2)
            elif op.name == "BININT2" and value == index:
                index_at.append(place + 1)
        arch = arch.encode()
        arch_at = [match.start() for match in re.finditer(re.escape(arch), data)]
        if len(index_at) != copies or not arch_at:
            return None
        marked = np.frombuffer(data, np.uint8).copy()
        mask = np.full(len(data), 255, np.uint8)
        for order, places in ((">", big), ("<", little)):
            for place in places:
                mark = np.array([_FIRST - place], f"{order}f8")
                marked[place : place + 8] = mark.view(np.uint8)
                mask[place : place + 8] = 0
        vector = vector_of(marked.tobytes())
        entries = np.flatnonzero(vector <= _FIRST)
        places = (_FIRST - vector[entries]).astype(np.intp)
        is_big = np.isin(places, np.array(big, dtype=np.intp))
        sources = [(">", places[is_big], entries[is_big]), ("<", places[~is_big], entries[~is_big])]
        vector = vector.copy()
        vector[entries] = np.nan
        return cls(np.frombuffer(data, np.uint8) & mask, mask, index_at, arch_at, len(arch), sources, vector)

    def read(self, data, index, arch):
        """The vector of a pickle of this length, None if it is built otherwise."""
        arch = arch.encode()
        if len(arch) != self._arch_length or index not in _TWO_BYTE_INDICES:
            return None
        index = np.frombuffer(index.to_bytes(2, "little"), np.uint8)
        for place in self._index_at:
            self._pattern[place : place + 2] = index
        arch = np.frombuffer(arch, np.uint8)
        for place in self._arch_at:
            self._pattern[place : place + len(arch)] = arch
        if (np.frombuffer(data, np.uint8) & self._mask != self._pattern).any():
            return None
        vector = self._vector.copy()
        for order, places, entries in self._sources:
            # A view that begins a number at every byte.
            numbers = np.ndarray((len(data) - 7,), f"{order}f8", data, strides=(1,))[places]
            if np.isnan(numbers).any():  # in the vector, NaN is what is not recorded
                return None
            vector[entries] = numbers
        return vector
