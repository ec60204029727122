"""Malicious pickles that exhaust the memory, time or stack of their reader; some are small, some endless."""

import io
from itertools import chain, repeat

_TEXT = b"X" + (1 << 20).to_bytes(4, "little") + b"x" * (1 << 20)
_BYTES = b"B" + (8 << 20).to_bytes(4, "little") + bytes(8 << 20)
_LIST = b"](" + b"K\x01" * 100_000 + b"e"
_ENCODE = b"c_codecs\nencode\n"
_DEEP = b")" + b"\x85" * 200_000
_ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n"
_TYPE = b"cnumpy\ndtype\nX\x02\0\0\0u1\x85R(K\x03X\x01\0\0\0|NNNtb"
_TUPLE = b"(" + b"N" * 50_000 + b"t"
_COLLIDING = [b"\x8a\x0d" + ((2**61 - 1) * n).to_bytes(13, "little") + b"N" for n in range(2000)]

# {name: (start of a pickle, part that is repeated without end)}
ENDLESS = {
    "bytes of a text": (_ENCODE + b"q\0" + _TEXT + b"X\x06\0\0\0latin1\x86q\x01(", b"h\0h\x01R"),
    "bytes of a text, thrown away": (_ENCODE + b"q\0" + _TEXT + b"X\x06\0\0\0latin1\x86q\x01", b"h\0h\x01R0"),
    "sets of a list": (b"c__builtin__\nset\nq\0" + _LIST + b"\x85q\x01(", b"h\0h\x01R"),
    "dictionaries of a list": (
        b"ccollections\nOrderedDict\nq\0](" + b"K\x01K\x02\x86" * 9000 + b"e\x85q\x01(",
        b"h\0h\x01R",
    ),
    "marks": (b"", b"("),
    "empty sets": (b"(", b"\x8f"),
    "empty dictionaries": (b"(", b"}"),
    "dictionaries of an item": (b"(", b"}NNs"),
    "empty lists": (b"(", b"]"),
    "lists of an item": (b"(", b"]Na"),
    "tuples": (b"(", b")\x85"),
    "numbers": (b"(", b"M\xff\xff"),
    "nothing": (b"(", b"N"),
    "short strings": (b"(", b"\x8c\x02ab"),
    "a list that grows": (b"]", b"Na"),
    "a list that doubles": (b"]q\0", b"(" + b"h\0" * 100 + b"e"),
    "references": (b"N", b"\x94"),
    "calls": (b"c__builtin__\nset\nq\0(", b"h\0)R"),
    "weights": (b"(", b"NQ"),
    "arrays": (
        _ARRAY + b"q\0(" + b"K\x01J\0\0\x01\0\x85" + _TYPE + b"\x89B\0\0\x01\0" + bytes(1 << 16) + b"tq\x01(",
        b"h\0)Rh\x01b",
    ),
    "wide tuples of wide tuples": (_TUPLE + b"q\0", b"(" + b"h\0" * 50_000 + b"t"),
}
# {name: pickle without its first two bytes and its last byte}
DAMAGED = {
    "a deep tuple": _DEEP,
    "a deep tuple as a key": b"}" + _DEEP + b"Ns",
    "a deep tuple in a set": b"\x8f(" + _DEEP + b"\x90",
    "a deep tuple as the name of a global": _DEEP + b"q\0h\0\x93",
    "a deep tuple as the code of a type": b"cnumpy\ndtype\n" + _DEEP + b"\x85R",
    "tuples that double": b")" + b"".join(b"q%ch%c\x86" % (n, n) for n in range(60)),
    "a wide tuple as a key": _TUPLE + b"q\x000}h\0Ns",
    "keys of one hash": b"}(" + b"".join(_COLLIDING) + b"u",
    "keys of one hash in a call": b"ccollections\nOrderedDict\n]("
    + b"\x86".join([*_COLLIDING, b""])
    + b"e\x85R",
    "a long key": b"}" + _TEXT + b"Ns",
    "a long item": b"\x8f(" + _TEXT + b"\x90",
    "an array of many numbers": _ARRAY + b")R(K\x01J\0\0\x80\0\x85" + _TYPE + b"\x89" + _BYTES + b"tb",
    "a set of a set": b"c__builtin__\nset\n\x8f\x85R",
    "a dictionary of a dictionary": b"ccollections\nOrderedDict\n}\x85R",
    "nested lists": b"](" * 2000,
}


def endless(name):
    """Return `read(n)` of an endless pickle."""
    start, again = ENDLESS[name]
    pieces = chain([b"\x80\x04" + start], repeat(again * (4096 // len(again) + 1)))
    left = b""

    def read(size):
        nonlocal left
        while len(left) < size:
            left += next(pieces)
        data, left = left[:size], left[size:]
        return data

    return read


def damaged(name):
    """Return `read(n)` of a pickle that ends."""
    return io.BytesIO(b"\x80\x04" + DAMAGED[name] + b".").read
