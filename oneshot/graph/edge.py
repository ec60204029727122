"""What an edge of a graph holds: its operation and further data, its own or shared by all its copies."""

from collections.abc import MutableMapping

from oneshot.errors import GraphError
from oneshot.ops import Identity


class _Shared(dict):
    """The values that all copies of an edge have in common, and whether these edges are deleted."""

    deleted = False


class EdgeData(MutableMapping):
    """The data of an edge: read as attributes, written with `set`.

    >>> edge = EdgeData()
    >>> edge.set("channels", 16)
    >>> edge.set("alpha", [0.0, 0.0], shared=True)  # of every copy of this edge
    >>> edge.channels, edge.has("alpha"), edge.op
    (16, True, Identity())

    An edge without an operation passes its tensor on.
    """

    __slots__ = ("_private", "_shared", "_final", "_parsed")
    _regrouped = 0  # grows whenever an edge gains or loses a value

    def __init__(self):
        self.__setstate__(({}, _Shared(), False, False))

    # Reading

    def __getattr__(self, key):
        if not key.startswith("_"):
            for store in (self._private, self._shared):
                if key in store:
                    return store[key]
            if key == "op":
                return Identity()
        raise AttributeError(f"the edge has no {key!r}; it has {', '.join(self) or 'nothing'}")

    def __getitem__(self, key):
        return (self._private if key in self._private else self._shared)[key]

    def __iter__(self):
        yield from self._private
        yield from (key for key in self._shared if key not in self._private)

    def __len__(self):
        return sum(1 for _ in self)

    def has(self, key):
        """Whether a value has been set."""
        return key in self._private or key in self._shared

    def __contains__(self, key):
        return self.has(key)

    def owner(self, key):
        """A number that is the same for all edges that have this very value of `key` in common."""
        return id(self._shared if key in self._shared and key not in self._private else self._private)

    @classmethod
    def generation(cls):
        """A number that is another once any edge has gained or lost a value: `owner` may be another then."""
        return cls._regrouped

    @property
    def is_final(self):
        return self._final

    @property
    def is_deleted(self):
        return self._shared.deleted

    @property
    def is_changeable(self) -> bool:
        """Whether a graph's update functions get the edge: it is neither final nor deleted."""
        return not self._final and not self.is_deleted

    # Writing

    def set(self, key, value, shared=False):
        """Set a value: of this edge alone, or with `shared` of all copies of the edge.

        Raises GraphError if the edge is final, if the key is taken, or if it is the operation of an edge in a
        parsed graph.
        """
        if (
            not isinstance(key, str)
            or not key.isidentifier()
            or key.startswith("_")
            or hasattr(type(self), key)
        ):
            raise GraphError(f"the name of an edge's value is an identifier that is not taken, got {key!r}")
        store, other = (self._shared, self._private) if shared else (self._private, self._shared)
        if key in other:
            kinds = ("the edge's own", "shared") if shared else ("shared", "the edge's own")
            raise GraphError(f"{key!r} is {kinds[0]} already and cannot be {kinds[1]} too; delete it first")
        self._changing(key)
        if key not in store:
            EdgeData._regrouped += 1
        store[key] = value

    def __setitem__(self, key, value):
        self.set(key, value)

    def __delitem__(self, key):
        self._changing(key)
        EdgeData._regrouped += 1
        del (self._private if key in self._private else self._shared)[key]

    def __setattr__(self, key, value):
        raise GraphError(f"an edge's data are written by edge.set({key!r}, value, shared=...)")

    def finalize(self):
        """Keep the edge as it is: `update_edges` and `update_nodes` pass it by, and `set` is an error.

        In a parsed graph, whose operations cannot be set in any case, values that a method keeps on an edge
        (a choice, a temperature) can still change.
        """
        object.__setattr__(self, "_final", True)
        return self

    def delete(self):
        """Take the edge and all its copies out of their graphs: nothing flows along them or updates them.

        A copy in a graph that is parsed still runs until that graph is unparsed and parsed again.
        """
        self._defining()
        self._shared.deleted = True
        return self

    def parse(self, parsed):
        """What a graph tells its edges when it is parsed, or unparsed: an operation then is what it is."""
        object.__setattr__(self, "_parsed", parsed)

    def _changing(self, key: str) -> None:
        """Raise GraphError if a value cannot be set or deleted now."""
        if key == "op":
            self._defining()
        if self._final and not self._parsed:
            raise GraphError(
                f"the edge is final, so {key!r} cannot change; call finalize() after the last change"
            )

    def _defining(self) -> None:
        if self._parsed:
            raise GraphError("the edge's graph is parsed: call unparse() before its operation changes")

    # Being copied: the copy's shared store is what deepcopy or pickle make of this one

    def __reduce__(self):
        return EdgeData, (), tuple(getattr(self, name) for name in self.__slots__)

    def __setstate__(self, state):
        for name, value in zip(self.__slots__, state, strict=True):
            object.__setattr__(self, name, value)

    @property
    def shared_store(self):
        """The dictionary that all copies of this edge have in common; graphs keep it when they are copied."""
        return self._shared

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __repr__(self):
        states = (("final", self.is_final), ("deleted", self.is_deleted))
        state = "".join(f", {word}" for word, on in states if on)
        return f"EdgeData({self._private}, shared={self._shared}{state})"
