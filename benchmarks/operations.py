"""Operations that torch dispatches in a step: their number and shapes, and for which the host waits."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple
from unittest.mock import patch

import torch
from torch import Tensor
from torch.nn.utils import clip_grad
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

# Views, aliases and allocations: they launch nothing on a device.
_WORKLESS = frozenset(
    """
    alias as_strided as_strided_ detach diagonal empty empty_like empty_strided expand lift_fresh new_empty
    new_empty_strided permute select slice split split_with_sizes squeeze t
    transpose unbind unsqueeze unsafe_view view _unsafe_view _reshape_alias
    """.split()  # noqa: SIM905 - a list of strings takes a page
)


# {operation and metadata of its arguments: metadata of its results}, because torch computes them slowly
_RESULTS: dict[tuple[object, ...], object] = {}


class Operation(NamedTuple):
    """An operation that does work: its name and the shapes of all its tensors, arguments first."""

    name: str
    shapes: tuple[tuple[int, ...], ...]


@contextmanager
def like_a_card() -> Iterator[None]:
    """Let steps run on the device "meta" within the block, with norms of tensors computed as on a GPU."""
    with (
        patch.object(torch, "autocast", lambda *args, **options: nullcontext()),
        patch.object(clip_grad, "_device_has_foreach_support", lambda device: True),
    ):
        yield


def empty_batch(count: int, size: int) -> tuple[Tensor, Tensor]:
    """Return images (count, 3, size, size) in channels_last memory, as in a search, and labels, on "meta"."""
    images = torch.empty(count, 3, size, size, device="meta", memory_format=torch.channels_last)
    return images, torch.empty(count, dtype=torch.int64, device="meta")


class Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's __init_subclass__
    """Record of the operations within a block; on the device "meta" they compute nothing.

    >>> with Operations() as seen:
    ...     total = (torch.ones(2, 3) + 1).sum()
    ...     number = total.item()
    >>> [operation.name for operation in seen.work], seen.waits
    (['ones', 'add', 'sum'], ['_local_scalar_dense'])

    Parameters
    ----------
    device
        The type of device whose operations and synchronizations are recorded.
    read
        The value of every number that is read from a tensor on "meta".
    """

    def __init__(self, device: str = "cpu", read: int = 0) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._device, self._read = device, read
        #: The operations that do work, in order.
        self.work: list[Operation] = []
        #: Names of the operations for which the host waits for the device.
        self.waits: list[str] = []

    def __torch_dispatch__(
        self,
        func: Any,  # torch does not type its overloads
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # whatever the operation returns
        kwargs = kwargs or {}
        name = func._schema.name.removeprefix("aten::")
        given = [each for each in tree_flatten((args, kwargs))[0] if isinstance(each, Tensor)]
        waits = self._waits(name, given, kwargs)
        if waits:
            self.waits.append(name)
        if waits and self._device == "meta":
            if name == "_local_scalar_dense":
                return self._read
            args, kwargs = tree_map(self._known, (args, dict(kwargs)))
        made = _on_meta(func, name, args, kwargs) if self._device == "meta" else func(*args, **kwargs)
        if name not in _WORKLESS:
            tensors = [*given, *(each for each in tree_flatten(made)[0] if isinstance(each, Tensor))]
            if any(each.device.type == self._device for each in tensors):
                self.work.append(Operation(name, tuple(tuple(each.shape) for each in tensors)))
        return made

    def _waits(self, name: str, given: Sequence[Tensor], kwargs: Mapping[str, Any]) -> bool:
        """Return whether the host waits because an operation reads values or makes a blocking copy."""
        here = [each.device.type == self._device for each in given]
        if name in ("_local_scalar_dense", "nonzero", "equal", "is_nonzero", "masked_select", "_unique2"):
            return any(here)
        if self._device == "cpu":
            return False
        if name == "_to_copy":
            target = kwargs.get("device")
            moves = target is not None and (torch.device(target).type == self._device) != here[0]
            return moves and not kwargs.get("non_blocking", False)
        return name == "copy_" and here[0] != here[1]

    def _known(self, value: object) -> object:
        """Return a tensor on the CPU for a tensor on "meta", and other values unchanged."""
        if isinstance(value, Tensor) and value.is_meta:
            return torch.full(value.shape, self._read, dtype=value.dtype)
        return value


class _Layout(NamedTuple):
    """The metadata of a tensor."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype
    device: torch.device

    @classmethod
    def describe(cls, value: object) -> object:
        """Return the metadata of a tensor, and other values unchanged."""
        if not isinstance(value, Tensor):
            return value
        return cls(tuple(value.shape), value.stride(), value.dtype, value.device)


def _filled(value: object) -> Tensor | None:
    """Return a tensor on "meta" with the metadata `value`; None for other values."""
    if not isinstance(value, _Layout):
        return None
    return torch.empty_strided(value.shape, value.stride, dtype=value.dtype, device="meta")


def _on_meta(
    func: Any,  # torch does not type its overloads
    name: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> Any:  # whatever the operation returns
    """Return the results of an operation, with metadata from an equal earlier one if there is one."""
    if "dirichlet" in name:  # which torch lacks on this device
        return torch.empty_like(args[0])
    schema = func._schema
    if name in ("add_", "mul_", "addcmul_", "div_", "relu_"):
        return args[0]
    if name in _WORKLESS or schema.is_mutable or any(each.alias_info is not None for each in schema.returns):
        return func(*args, **kwargs)
    leaves = tree_flatten((args, kwargs))[0]
    key = func, len(args), *map(_Layout.describe, leaves)
    if key in _RESULTS:
        return tree_map(_filled, _RESULTS[key], is_leaf=lambda each: isinstance(each, _Layout))
    made = func(*args, **kwargs)
    last = torch.channels_last
    if name == "convolution" and any(each.is_contiguous(memory_format=last) for each in args[:2]):
        made = made.contiguous(memory_format=last)  # as on a GPU
    if all(each is None or (isinstance(each, Tensor) and each.is_meta) for each in tree_flatten(made)[0]):
        _RESULTS[key] = tree_map(_Layout.describe, made)
    return made
