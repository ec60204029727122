"""Streaming of pickles, item by item of one large dictionary, in bounded memory."""

from array import array
from collections.abc import Callable, Iterator
from struct import unpack_from
from typing import Any

from nasbench.build.sources.safe_pickle import (
    SHARED,
    STATEFUL,
    Allowed,
    Skipped,
    check_keys,
    find_global,
)
from nasbench.errors import SourceError, one_line, shown

Read = Callable[[int], bytes]  # returns up to n bytes; none at the end
Persistent = Callable[[Any], object]  # returns the object that is stored outside the pickle under an id
Item = tuple[Any, Any]  # key and value, of any type
Memo = dict[int, Any]  # objects by number

_CHUNK = 1 << 18  # bytes read at a time; their objects are counted at the next read
_LARGEST_STRING = 64 << 20  # bytes of one string or bytes object
_LARGEST_ITEM = 256 << 20  # bytes of the pickle per item, and for everything that is not an item
_MOST_HELD = 512 << 20  # bytes of the objects of held items; an upper estimate
_DEEPEST = 1000  # marks; picklers do not nest deeper
_MOST_NUMBERS = 1 << 28  # numbered objects; NATS-Bench's single file has 170 million
_MOST_SHARED = 65_535  # distinct names that items can share
_LONGEST_SHARED = 256  # characters of a shared name
# Estimated bytes of CPython objects, including numbers in them; strings and calls are counted separately.
_NUMBER, _LIST, _TUPLE, _DICT, _SET, _CALL = 44, 64, 56, 232, 216, 256
_IN_LIST, _IN_TUPLE, _PAIR, _IN_SET, _MEMO = 56, 44, 184, 112, 96
_STRING, _LOOK = 56, 8
# A pair of the dictionary is complete once this many pairs are on the stack. Until then, the apparent next
# key may be the key of a dictionary with one item, which is filled without a mark.
_DELAY = 4
_HELD = 2 * _DELAY  # items whose objects can be referenced


# Operations with a size before the data: bytes of the size, and type. Strings of Python 2 are bytes.
_SIZED: dict[int, tuple[int, type]] = {
    **{0x8C: (1, str), 0x58: (4, str), 0x8D: (8, str)},  # SHORT_BINUNICODE, BINUNICODE, BINUNICODE8
    **{0x43: (1, bytes), 0x42: (4, bytes), 0x8E: (8, bytes)},  # SHORT_BINBYTES, BINBYTES, BINBYTES8
    **{0x55: (1, bytes), 0x54: (4, bytes)},  # SHORT_BINSTRING, BINSTRING
    **{0x8A: (1, int), 0x8B: (4, int)},  # LONG1, LONG4
}
_CONSTANTS = {0x4E: None, 0x88: True, 0x89: False, 0x29: ()}

END = object()  # the key of the last item


def load(read: Read, name: str, allowed: Allowed, persistent: Persistent = Skipped) -> Any:
    """Return the object in a pickle; memory and time are bounded for any pickle.

    Parameters
    ----------
    read
        Function that returns up to n bytes of the pickle.
    name
        Name of the file in errors.
    allowed
        Stand-ins for the globals that the format needs.
    persistent
        Function that returns the object stored outside the pickle under a persistent id.

    Raises
    ------
    SourceError
        If the pickle is damaged or needs too much memory.
    UnsafePickleError
        If the pickle needs any other global.
    """
    machine = _Machine(read, name, allowed, None, True, persistent)
    list(machine.run())  # yields nothing
    return machine.result


def items(
    read: Read, name: str, allowed: Allowed, key: str | None = None, whole: bool = True
) -> Iterator[Item]:
    """Yield the items of a dictionary as they are read: the pickle's root, or the root's value at `key`.

    Yielded items are not held, so memory is bounded by the largest item. The last item is (END, rest), where
    rest is the root without the yielded items. With `whole`, nothing may follow the pickle. Other parameters
    and errors are as for `load`.
    """
    machine = _Machine(read, name, allowed, (key,), whole, Skipped)
    yield from machine.run()
    if machine.taken_from is None or (key is None and machine.result is not machine.taken_from):
        wanted = "dictionary" if key is None else f"dictionary {key!r}"
        raise SourceError(f"{name} has no {wanted}, which the format requires")
    yield END, machine.result


class _Machine:
    """Pickle machine for data formats: containers, numbers, strings, allowed globals.

    Objects are referenced by number (the memo). Names and globals of any earlier item can be referenced,
    because pickles share them between items; other objects only of the last few items.
    """

    def __init__(
        self,
        read: Read,
        name: str,
        allowed: Allowed,
        taking: tuple[str | None] | None,
        whole: bool,
        persistent: Persistent,
    ) -> None:
        self._read = read
        self._name = name
        self._allowed = allowed
        self._taking = taking  # (key,) of the dictionary whose items are yielded; None for no items
        self._whole = whole
        self._persistent = persistent
        self.taken_from: dict[Any, Any] | None = None
        self.result: Any = None  # any type

    def run(self) -> Iterator[Item]:
        """Read to the end, yielding items; afterwards, `result` is the root."""
        try:
            yield from self._run()
        except SourceError:
            raise
        except MemoryError:
            raise SourceError(
                f"{self._name} needs more memory than available: it is damaged or malicious"
            ) from None
        except Exception as error:  # damaged pickles can raise almost any exception
            raise SourceError(
                f"{self._name} is truncated or damaged ({type(error).__name__}: {one_line(error)})"
            ) from error

    def _more(self, buffer: bytes, position: int, wanted: int) -> bytes:
        """Return the buffer from `position`, with at least `wanted` bytes."""
        if wanted > _LARGEST_STRING:
            raise SourceError(f"{self._name} is damaged: it has a string of {wanted:,} bytes")
        parts = [buffer[position:]]
        length = len(parts[0])
        while length < wanted:
            part = self._read(max(_CHUNK, wanted - length))
            if not part:
                raise SourceError(f"{self._name} is truncated: it ends within its pickle")
            parts.append(part)
            length += len(part)
        return b"".join(parts)

    def _run(self) -> Iterator[Item]:
        stack: list[Any] = []  # objects of any type
        marks: list[int] = []
        memo: Memo = {}  # of the current item
        outside = memo  # of objects outside items
        shared = _Shared()  # of earlier items
        taken: dict[Any, Any] | None = None  # the dictionary whose items are yielded
        level = 0  # number of marks at its items
        count = 0  # memo entries
        buffer, position, end = b"", 0, 0
        used = 0  # bytes before the buffer
        held = 0  # estimated bytes of held objects
        started = 0  # start of the item
        while True:
            if position + 16 > end:  # longer than any fixed argument
                used += position
                buffer = buffer[position:]
                part = self._read(_CHUNK)
                buffer += part
                position, end = 0, len(buffer)
                if position >= end:
                    raise SourceError(f"{self._name} is truncated: it ends within its pickle")
                self._checked(held + _NUMBER * len(stack), used - started)
            op = buffer[position]
            position += 1
            if op == 0x47:  # BINFLOAT
                stack.append(unpack_from(">d", buffer, position)[0])
                position += 8
            elif op == 0x94:  # MEMOIZE
                memo[count] = stack[-1]
                count += 1
                held += _MEMO
            elif op == 0x4B:  # BININT1
                stack.append(buffer[position])
                position += 1
            elif op in _SIZED:
                width, kind = _SIZED[op]
                size, position = _size(buffer, position, width)
                if kind is int and size > 16:
                    raise SourceError(f"{self._name} is damaged: it has a number of {size:,} bytes")
                if position + size > end:
                    used += position
                    buffer = self._more(buffer, position, size)
                    position, end = 0, len(buffer)
                data = buffer[position : position + size]
                position += size
                if kind is str:
                    stack.append(str(data, "utf-8", "surrogatepass"))
                    held += _STRING + 4 * size  # if one character needs four bytes, all do
                elif kind is int:
                    stack.append(int.from_bytes(data, "little", signed=True))
                else:
                    stack.append(data.decode("latin-1") if op in (0x55, 0x54) else data)
                    held += _STRING + size
            elif op == 0x68 or op == 0x6A:  # BINGET, LONG_BINGET
                number, position = _size(buffer, position, 1 if op == 0x68 else 4)
                known = memo if number in memo else outside if number in outside else shared.memo(number)
                if known is None:
                    raise SourceError(
                        f"{self._name} refers back to an object that is no longer held: it is damaged, or its"
                        " cells share more than names"
                    )
                stack.append(known[number])
            elif op == 0x71 or op == 0x72:  # BINPUT, LONG_BINPUT
                number, position = _size(buffer, position, 1 if op == 0x71 else 4)
                if number > count + 1:  # Python 2 counts from one
                    raise SourceError(f"{self._name} is damaged: it numbers an object {number:,}")
                memo[number] = stack[-1]
                count += 1
                held += _MEMO
            elif op == 0x4D or op == 0x4A:  # BININT2, BININT
                stack.append(unpack_from("<H" if op == 0x4D else "<i", buffer, position)[0])
                position += 2 if op == 0x4D else 4
            elif op == 0x28:  # MARK
                marks.append(len(stack))
                if len(marks) > _DEEPEST:
                    raise SourceError(f"{self._name} is damaged: it nests more than {_DEEPEST:,} objects")
            elif op == 0x75 or op == 0x73:  # SETITEMS, SETITEM
                mark = marks.pop() if op == 0x75 else len(stack) - 2
                target = stack[mark - 1]
                if target is taken and taken is not None:
                    if len(stack) - mark > 2 * _DELAY:
                        raise SourceError(f"{self._name} is damaged: it has items out of place")
                    while len(stack) > mark + 1:
                        yield self._item(stack, mark)
                        memo, held = shared.retire(memo, held)
                        started = used + position
                    if len(stack) > mark:
                        raise SourceError(f"{self._name} is damaged: it has a key without a value")
                elif type(target) is dict:
                    keys, values = stack[mark::2], stack[mark + 1 :: 2]
                    if len(keys) != len(values):
                        raise SourceError(f"{self._name} is damaged: it has a key without a value")
                    held = self._checked(held + _PAIR * len(keys) + check_keys(keys))
                    expected = len(target) + len(keys)
                    target.update(zip(keys, values, strict=True))
                    if len(target) < expected:
                        raise SourceError(f"{self._name} has a key twice, one of {shown(keys)}")
                elif not isinstance(target, Skipped):
                    raise SourceError(
                        f"{self._name} is damaged: it adds items to an object that is not a dictionary"
                    )
                del stack[mark:]
            elif op == 0x7D:  # EMPTY_DICT
                value: Any = {}  # any type from here on
                held += _DICT
                if self._taking and self.taken_from is None and self._begins(*self._taking, stack, marks):
                    self.taken_from = taken = value
                    level = len(marks)
                    memo = {}
                    shared.outside = held
                    started = used + position
                stack.append(value)
            elif op == 0x85 or op == 0x86 or op == 0x87 or op == 0x74:  # TUPLE1, TUPLE2, TUPLE3, TUPLE
                mark = marks.pop() if op == 0x74 else max(0, len(stack) - (op - 0x84))
                value = tuple(stack[mark:])
                held += _TUPLE + _IN_TUPLE * len(value)
                if tuple in map(type, value):
                    held = self._with_nesting(value, held)
                del stack[mark:]
                stack.append(value)
            elif op == 0x52 or op == 0x81:  # REDUCE, NEWOBJ
                arguments = stack.pop()
                held = self._checked(held + _CALL + _cost(arguments))
                stack[-1] = stack[-1](*arguments)  # only allowed globals can be called
            elif op == 0x5D:  # EMPTY_LIST
                stack.append([])
                held += _LIST
            elif op == 0x61 or op == 0x65:  # APPEND, APPENDS
                mark = len(stack) - 1 if op == 0x61 else marks.pop()
                held += _IN_LIST * (len(stack) - mark)
                _list(stack[mark - 1]).extend(stack[mark:])
                del stack[mark:]
            elif op in _CONSTANTS:  # NONE, NEWTRUE, NEWFALSE, EMPTY_TUPLE
                stack.append(_CONSTANTS[op])
            elif op == 0x8F:  # EMPTY_SET
                stack.append(set())
                held += _SET
            elif op == 0x90:  # ADDITEMS
                mark = marks.pop()
                values = stack[mark:]
                held = self._checked(held + _IN_SET * len(values) + check_keys(values))
                stack[mark - 1].update(values)
                del stack[mark:]
            elif op == 0x93:  # STACK_GLOBAL
                name = stack.pop()
                stack[-1] = find_global(stack[-1], name, self._name, self._allowed)
            elif op == 0x63:  # GLOBAL
                lines = buffer[position : position + 300].split(b"\n", 2)
                if len(lines) < 3 and end - position < 300:
                    used += position
                    buffer, position = buffer[position:] + self._read(_CHUNK), 0
                    end = len(buffer)
                    lines = buffer[:300].split(b"\n", 2)
                module, name = (line.decode("utf-8") for line in lines[:2])
                stack.append(find_global(module, name, self._name, self._allowed))
                position += len(lines[0]) + len(lines[1]) + 2
            elif op == 0x62:  # BUILD
                state = stack.pop()
                if isinstance(stack[-1], STATEFUL):
                    stack[-1].__setstate__(state)
                elif not (type(stack[-1]) is dict and type(state) is dict):  # attributes of an OrderedDict
                    raise SourceError(
                        f"{self._name} is damaged: it sets the state of an object without state"
                    )
            elif op == 0x51:  # BINPERSID, used for weights
                stack[-1] = self._persistent(stack[-1])
                held += _CALL
            elif op == 0x80:  # PROTO
                position += 1
            elif op == 0x95:  # FRAME
                position += 8
            elif op == 0x30:  # POP
                stack.pop()
            elif op == 0x31:  # POP_MARK
                del stack[marks.pop() :]
            elif op == 0x2E:  # STOP
                (self.result,) = stack
                self._checked(held)
                if self._whole and (position < end or self._read(1)):
                    raise SourceError(f"{self._name} is damaged: there are bytes after its pickle")
                return
            else:
                raise SourceError(
                    f"{self._name} is damaged: its pickle has the operation {op:#04x} at byte"
                    f" {used + position - 1:,}, which this format does not use"
                )
            if (
                taken is not None
                and len(marks) == level + 1
                and len(stack) - marks[-1] > 2 * _DELAY
                and stack[marks[-1] - 1] is taken
            ):
                yield self._item(stack, marks[-1])
                memo, held = shared.retire(memo, held)
                started = used + position

    def _begins(self, key: str | None, stack: list[Any], marks: list[int]) -> bool:
        """Return whether the new dictionary is the one whose items are yielded."""
        if key is None:
            return not stack
        return len(marks) == 1 and marks[0] == 1 and bool(stack[-1] == key) and len(stack) % 2 == 0

    def _item(self, stack: list[Any], mark: int) -> Item:
        key, value = stack[mark : mark + 2]
        del stack[mark : mark + 2]
        check_keys((key,))
        return key, value

    def _with_nesting(self, value: tuple[Any, ...], held: int) -> int:
        """Return `held` plus the cost of the tuples in a tuple; raise SourceError for deeper nesting.

        The hash of a tuple visits all its parts, so deep nesting could exhaust the stack or never end.
        """
        inner = [part for part in value if type(part) is tuple]
        held = self._checked(held + _LOOK * sum(map(len, inner)))
        if any(tuple in map(type, part) for part in inner):
            raise SourceError(f"{self._name} is damaged: it has tuples within tuples within tuples")
        return held

    def _checked(self, held: int, item: int = 0) -> int:
        """Return `held`; raise SourceError if it, or the number of bytes of the item, is too large."""
        if held > _MOST_HELD or item > _LARGEST_ITEM:
            raise SourceError(
                f"{self._name} is damaged or malicious: an item has more than {_LARGEST_ITEM:,}"
                f" bytes, or objects of more than {_MOST_HELD:,} bytes"
            )
        return held


class _Shared:
    """Objects of earlier items by number.

    All objects of the last items are held; of older ones only names, globals and dtypes, with two bytes per
    number.
    """

    def __init__(self) -> None:
        self.outside = 0  # estimated bytes of objects outside items
        self._recent: list[tuple[Memo, int]] = []  # last items, with estimated bytes
        self._places = array("H")  # number -> place in _values; 0 for none
        self._values: list[Any] = [None]  # names, globals and dtypes
        self._place_of: dict[Any, int] = {}  # by value

    def memo(self, number: int) -> "Memo | _Shared | None":
        """Return the memo that has the object with a number; None if it is no longer held."""
        for memo, _ in reversed(self._recent):
            if number in memo:
                return memo
        return self if number < len(self._places) and self._places[number] > 0 else None

    def __getitem__(self, number: int) -> Any:
        return self._values[self._places[number]]

    def retire(self, memo: Memo, held: int) -> tuple[Memo, int]:
        """Hold the memo of an item, reduce the oldest one to shared objects, and return a new memo.

        `held` is the estimated number of bytes held; its new value is also returned.
        """
        held -= self.outside + sum(size for _, size in self._recent)
        self._recent.append((memo, held))
        if len(self._recent) > _HELD:
            for number, value in self._recent.pop(0)[0].items():
                if type(value) is str:
                    if len(value) <= _LONGEST_SHARED:
                        self._keep(number, value)
                elif isinstance(value, SHARED) or callable(value):
                    self._keep(number, value)
        return {}, self.outside + sum(size for _, size in self._recent)

    def _keep(self, number: int, value: Any) -> None:
        place = self._place_of.get(value)
        if place is None:
            if len(self._values) > _MOST_SHARED:
                return
            place = self._place_of[value] = len(self._values)
            self._values.append(value)
        if number >= len(self._places):
            if number >= _MOST_NUMBERS:
                return
            self._places.extend([0] * (number + 1 - len(self._places)))
        self._places[number] = place


def _size(buffer: bytes, position: int, width: int) -> tuple[int, int]:
    return int.from_bytes(buffer[position : position + width], "little"), position + width


def _cost(arguments: object) -> int:
    """Return the estimated bytes of the objects that a call creates from its arguments."""
    if type(arguments) is not tuple:
        raise TypeError("the arguments of a call are not a tuple")
    cost = 0
    for value in arguments:
        if type(value) is list:
            cost += _PAIR * len(value)
        elif type(value) is str or type(value) is bytes:
            cost += len(value)
    return cost


def _list(value: object) -> list[Any]:
    if type(value) is not list:
        raise TypeError("values appended to an object that is not a list")
    return value
