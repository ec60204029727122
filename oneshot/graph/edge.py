"""Data of an edge: its operation and other values, private or shared by all copies of the edge."""

from collections.abc import Callable, Iterator, MutableMapping
from typing import Any, NoReturn, Self

from torch import Tensor, nn

from oneshot.errors import GraphError
from oneshot.ops import Identity


class _Shared(dict[str, Any]):  # values of any type
    """Values that all copies of an edge share, and whether these edges are deleted."""

    deleted = False


class EdgeData(MutableMapping[str, Any]):
    """The data of an edge, read as attributes and written with `set`.

    >>> edge = EdgeData()
    >>> edge.set("channels", 16)
    >>> edge.set("alpha", [0.0, 0.0], shared=True)  # for every copy of this edge
    >>> edge.channels, edge.has("alpha"), edge.op
    (16, True, Identity())

    An edge without an operation passes its tensor on unchanged.
    """

    __slots__ = ("_private", "_shared", "_final", "_parsed")
    _private: dict[str, Any]
    _shared: _Shared
    _final: bool
    _parsed: bool

    def __init__(self) -> None:
        self.__setstate__(({}, _Shared(), False, False))

    # Reading

    def __getattr__(self, key: str) -> Any:  # values have any type
        if not key.startswith("_") and self.has(key):
            return self[key]
        if key == "op":
            return Identity()
        raise AttributeError(f"the edge has no {key!r}; it has {', '.join(self) or 'nothing'}")

    def __getitem__(self, key: str) -> Any:
        return (self._private if key in self._private else self._shared)[key]

    def __iter__(self) -> Iterator[str]:
        yield from self._private
        yield from (key for key in self._shared if key not in self._private)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def has(self, key: object) -> bool:
        """Return whether a value has been set."""
        return key in self._private or key in self._shared

    __contains__ = has

    def owner(self, key: str) -> int:
        """Return a number that identifies the owner of the value: equal for all edges that share it."""
        return id(self._shared if key in self._shared and key not in self._private else self._private)

    @property
    def is_final(self) -> bool:
        """Whether the edge is final, so that its values cannot be set."""
        return self._final

    @property
    def is_deleted(self) -> bool:
        """Whether the edge and its copies are deleted."""
        return self._shared.deleted

    @property
    def is_changeable(self) -> bool:
        """Whether update functions are called for the edge: it is neither final nor deleted."""
        return not self._final and not self.is_deleted

    # Writing

    def set(self, key: str, value: Any, shared: bool = False) -> None:
        """Set a value.

        Parameters
        ----------
        key
            Name of the value, an identifier that is not a method of EdgeData; `op` is the operation.
        value
            Value of any type; tensors move with the graph.
        shared
            Whether to set the value for all copies of the edge, including later ones.

        Raises
        ------
        GraphError
            If the edge is final, if the name is invalid or taken, or if `key` is `op` in a parsed graph.
        """
        valid = isinstance(key, str) and key.isidentifier() and not key.startswith("_")
        if not valid or hasattr(type(self), key):
            raise GraphError(
                f"the name of an edge's value must be an identifier that is not taken, got {key!r}"
            )
        places = [(self._private, "private to the edge"), (self._shared, "shared")]
        (store, kind), (other, present) = reversed(places) if shared else places
        if key in other:
            raise GraphError(f"{key!r} is already {present} and cannot also be {kind}; delete it first")
        self._changing(key)
        store[key] = value

    def __setitem__(self, key: str, value: Any) -> None:
        self.set(key, value)

    def __delitem__(self, key: str) -> None:
        self._changing(key)
        del (self._private if key in self._private else self._shared)[key]

    def __setattr__(self, key: str, value: object) -> NoReturn:
        raise GraphError(f"an edge's data must be set by edge.set({key!r}, value, shared=...)")

    def finalize(self) -> Self:
        """Make the edge final: `update_edges` and `update_nodes` skip it and `set` raises GraphError.

        While the graph is parsed, values other than the operation (a choice, a temperature) can still change.

        Returns
        -------
        EdgeData
            The edge itself.
        """
        object.__setattr__(self, "_final", True)
        return self

    def delete(self) -> Self:
        """Delete the edge and all its copies: they are not executed, and update functions skip them.

        A copy in a parsed graph is executed until that graph is unparsed and parsed again.

        Returns
        -------
        EdgeData
            The edge itself.

        Raises
        ------
        GraphError
            If the edge is in a parsed graph.
        """
        self._defining()
        self._shared.deleted = True
        return self

    def parse(self, parsed: bool) -> None:
        """Set whether the edge's graph is parsed; if it is, the operation cannot change."""
        object.__setattr__(self, "_parsed", parsed)

    def map_tensors(self, function: Callable[[Tensor], Tensor]) -> None:
        """Apply `function`, such as `Tensor.double`, to all tensors; parameters stay the same objects."""
        for store in (self._private, self._shared):
            for key, value in store.items():
                if isinstance(value, nn.Parameter):
                    value.data = function(value.data)
                    if value.grad is not None:
                        value.grad.data = function(value.grad.data)
                elif isinstance(value, Tensor):
                    store[key] = function(value)

    def _changing(self, key: str) -> None:
        """Raise GraphError if a value cannot be set or deleted."""
        if key == "op":
            self._defining()
        if self._final and not self._parsed:
            raise GraphError(
                f"the edge is final, so {key!r} cannot change; call finalize() after the last change"
            )

    def _defining(self) -> None:
        if self._parsed:
            raise GraphError("the edge's graph is parsed; call unparse() before changing its operation")

    # Copies: deepcopy and pickle decide whether the shared store is copied

    def __reduce__(self) -> tuple[Any, ...]:  # as pickle's protocol has it
        return EdgeData, (), tuple(getattr(self, name) for name in self.__slots__)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        for name, value in zip(self.__slots__, state, strict=True):
            object.__setattr__(self, name, value)

    @property
    def shared_store(self) -> dict[str, Any]:
        """The dictionary of values that all copies of this edge share; `Graph.copy` keeps it."""
        return self._shared

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        state = ", final" * self.is_final + ", deleted" * self.is_deleted
        return f"EdgeData({self._private}, shared={self._shared}{state})"
