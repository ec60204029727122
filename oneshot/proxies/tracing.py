"""Forward passes that intercept the functions that a network calls."""

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

_KEPT = 6  # recent results that are reused, enough for the nodes of a cell
_ACTIVATIONS = (F.relu, torch.relu, Tensor.relu)
_GLOBAL_POOLS = (F.adaptive_avg_pool2d,)
_IN_PLACE = (Tensor.add_,)
_POOLS = (F.avg_pool2d, F.max_pool2d)


class Tracer(TorchFunctionMode):
    """A context that intercepts layers, ReLUs and normalizations of a network by overridable methods.

    The network does not change. Normalizations use the statistics of the batch and do not update running
    statistics. A ReLU or pool of the same tensor is computed once, even if several edges start with it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._pooled: Tensor | None = None  # input of the global pool
        self._results: OrderedDict[tuple[object, ...], tuple[Tensor, Tensor]] = OrderedDict()

    def layer(self, x: Tensor, weight: Tensor, compute: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """Return the output of a convolution or a linear layer, `compute(x, weight)`."""
        return compute(x, weight)

    def rectify(self, x: Tensor) -> Tensor:
        """Return the ReLU of x, never in place."""
        return torch.relu(x)

    def activation(self, out: Tensor, fresh: bool) -> None:
        """Handle the output of a ReLU; it is not `fresh` if another ReLU had the same input."""

    def norm(self, x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
        """Return the output of a batch normalization."""
        return folded_norm(x, None, weight, bias, 0.0, eps)

    @property
    def response(self) -> Tensor:
        """Input of the global pool."""
        if self._pooled is None:
            raise ProxyError("zen needs the input of a global average pool, but the network has none")
        return self._pooled

    def run(self, network: nn.Module, images: Tensor) -> Tensor:
        """Return the logits of a network; a Graph runs edge by edge instead of by its compiled plan."""
        with self:
            out = network.interpret(images) if isinstance(network, Graph) else network(images)
        logits: Tensor = out[0] if isinstance(out, tuple) else out  # without auxiliary logits
        return logits

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # torch's functions return any type
        kwargs = kwargs or {}
        if func in _ACTIVATIONS:
            out, fresh = self._once(self.rectify, args[:1], {})
            self.activation(out, fresh)
            return out
        if func in _POOLS:
            return self._once(func, args, kwargs)[0]
        if func in _IN_PLACE and not args[0].is_floating_point():
            return args[0]  # a normalization's counter of batches
        if func in _GLOBAL_POOLS:
            self._pooled = args[0]
        rules: dict[Callable[..., Any], Callable[..., Tensor]] = {
            F.conv2d: self._convolved,
            F.linear: self._linear,
            F.batch_norm: self._normalized,
        }
        return rules.get(func, func)(*args, **kwargs)  # type: ignore[no-untyped-call]  # torch's

    def has_rule(self, func: Callable[..., Any]) -> bool:
        """Return whether a method of this class handles a function."""
        return func in (*_ACTIVATIONS, F.conv2d, F.linear, F.batch_norm)

    # Rules, with the arguments of torch's functions

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
        """Return the bias that a layer adds; None for no bias."""
        return bias

    def _once(
        self, func: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[Tensor, bool]:
        """Return the result of a function, reused if it was recently computed, and whether it is fresh."""
        x, *rest = args
        key = (func, id(x), *rest, *sorted(kwargs.items()))
        fresh = key not in self._results
        if fresh:
            self._results[key] = x, func(*args, **kwargs)  # keeping x keeps its id unique
            if len(self._results) > _KEPT:
                self._results.popitem(last=False)
        return self._results[key][1], fresh
