"""Forward passes that are watched, or changed, by the functions that a network calls."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.overrides import TorchFunctionMode

from oneshot.compile.folding import folded_norm
from oneshot.errors import ProxyError
from oneshot.graph.graph import Graph

_KEPT = 6  # results that may be asked for again: those of a cell's nodes
_ACTIVATIONS = (F.relu, torch.relu, Tensor.relu)
_GLOBAL_POOLS = (F.adaptive_avg_pool2d,)
_IN_PLACE = (Tensor.add_,)
_POOLS = (F.avg_pool2d, F.max_pool2d)


class Tracer(TorchFunctionMode):
    """A context in which a network of any modules runs; subclasses say what its layers do.

    The network itself stays as it is. Normalization takes the statistics of the batch and keeps none. A ReLU
    or a pool of a tensor is computed once, however many edges of a graph begin with it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._pooled: Tensor | None = None  # what the global pool is given
        self._results: OrderedDict[tuple[object, ...], tuple[Tensor, Tensor]] = OrderedDict()

    def layer(self, x: Tensor, weight: Tensor, compute: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """Return the output of a convolution or a linear layer, `compute(x, weight)`."""
        return compute(x, weight)

    def rectify(self, x: Tensor) -> Tensor:
        """Return the ReLU of x, never in place."""
        return torch.relu(x)

    def activation(self, out: Tensor, fresh: bool) -> None:
        """Watch the output of a ReLU; not `fresh`: another ReLU of the same images had it."""

    def norm(self, x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
        """Return the output of a batch normalization."""
        return folded_norm(x, None, weight, bias, 0.0, eps)

    @property
    def response(self) -> Tensor:
        """The images before the global pool."""
        if self._pooled is None:
            raise ProxyError("the network has no global average pool, which zen's score ends before")
        return self._pooled

    def run(self, network: nn.Module, images: Tensor) -> Tensor:
        """Return the logits of a network; of a Graph edge by edge, which no compiled plan hides."""
        with self:
            out = network.interpret(images) if isinstance(network, Graph) else network(images)
        logits: Tensor = out[0] if isinstance(out, tuple) else out  # of two classifiers, the last one's
        return logits

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # what a function of torch returns
        kwargs = kwargs or {}
        if func in _ACTIVATIONS:
            out, fresh = self._once(self.rectify, args[:1], {})
            self.activation(out, fresh)
            return out
        if func in _POOLS:
            return self._once(func, args, kwargs)[0]
        if func in _IN_PLACE and not args[0].is_floating_point():
            return args[0]  # a normalization's count of batches
        if func in _GLOBAL_POOLS:
            self._pooled = args[0]
        rules: dict[Callable[..., Any], Callable[..., Tensor]] = {
            F.conv2d: self._convolved,
            F.linear: self._linear,
            F.batch_norm: self._normalized,
        }
        return rules.get(func, func)(*args, **kwargs)  # type: ignore[no-untyped-call]  # torch's

    def has_rule(self, func: Callable[..., Any]) -> bool:
        """Return whether subclasses say what a function does."""
        return func in (*_ACTIVATIONS, F.conv2d, F.linear, F.batch_norm)

    # Each with the arguments of torch's function

    def _convolved(
        self, x: Tensor, weight: Tensor, bias: Tensor | None = None, *rest: Any, **options: Any
    ) -> Tensor:
        bias = self.bias(bias)
        return self.layer(x, weight, lambda x, weight: F.conv2d(x, weight, bias, *rest, **options))

    def _linear(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        bias = self.bias(bias)
        return self.layer(x, weight, lambda x, weight: F.linear(x, weight, bias))

    def _normalized(
        self,
        x: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        return self.norm(x, weight, bias, eps)

    def bias(self, bias: Tensor | None) -> Tensor | None:
        """Return the bias that a layer adds."""
        return bias

    def _once(
        self, func: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[Tensor, bool]:
        """Return a function's result, the same tensor as lately if asked again; and if it is fresh."""
        x, *rest = args
        key = (func, id(x), *rest, *sorted(kwargs.items()))
        fresh = key not in self._results
        if fresh:
            self._results[key] = x, func(*args, **kwargs)  # with x, whose id no other has meanwhile
            if len(self._results) > _KEPT:
                self._results.popitem(last=False)
        return self._results[key][1], fresh
