"""Plans: a graph's expressions as a sequence of steps; tensors are freed after their last use."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from types import FunctionType
from typing import Any, NamedTuple

import torch
from torch import Tensor

from oneshot.compile.expr import AnyExpr, Expr, Input, Kernel, in_order, is_by
from oneshot.compile.fuse import fuse
from oneshot.compile.kernels import DropPath, Relu
from oneshot.compile.lowering import Lowering
from oneshot.compile.norms import Norm
from oneshot.compile.side_by_side import set_side_by_side
from oneshot.compile.weights import pick_at_once
from oneshot.errors import GraphError

_SHAPES = 64  # compilations per plan, one per batch shape and set of inputs with gradients


class _Step(NamedTuple):
    """A kernel, the slots of its arguments and output, and the slots that are freed after it."""

    kernel: Kernel
    args: tuple[int, ...]
    slot: int
    freed: tuple[int, ...]


class Plan:
    """The steps that compute a graph's output, called with the graph's inputs and its edges' weights.

    `print(plan)` shows one line per step: its output, its kernel, its arguments and its place in the graph.
    """

    def __init__(self, lowering: Lowering, root: AnyExpr) -> None:
        self._structure, self._state = lowering.structure, lowering.structure.state()
        root = pick_at_once(fuse(set_side_by_side(root, lowering), lowering), lowering)
        place: dict[int, int] = {}
        order: list[Expr[Kernel]] = []
        for expr in in_order(root):
            if is_by(expr, Input):
                place[id(expr)] = expr.kernel.number
            elif is_by(expr, Kernel):
                place[id(expr)] = lowering.inputs + len(order)
                order.append(expr)
        self._output = place[id(root)]
        last = {place[id(arg)]: number for number, expr in enumerate(order) for arg in expr.args}
        freed: list[list[int]] = [[] for _ in order]
        for slot, number in last.items():
            if slot != self._output:
                freed[number].append(slot)
        self._steps = [
            _Step(kernel, tuple(place[id(arg)] for arg in expr.args), place[id(expr)], tuple(slots))
            for expr, kernel, slots in zip(order, _kernels_in_place(order), freed, strict=True)
        ]
        self._run = self._step_by_step
        self._origins = ["; ".join(expr.origins) for expr in order]

    def __len__(self) -> int:
        return len(self._steps)

    def holds(self) -> bool:
        """Return whether the graph still has the structure that the plan was compiled from."""
        return self._structure.state() == self._state

    def __call__(self, *tensors: Tensor) -> Any:  # a node's function may return any type
        """Return the output; images are converted to channels_last memory."""
        last = torch.channels_last
        return self._run(*(t.contiguous(memory_format=last) if t.dim() == 4 else t for t in tensors))

    def compile(self, **options: Any) -> None:  # torch's
        """Run all steps as one function of `torch.compile(**options)`, compiled for each shape of inputs."""
        # torch limits compilations per code object, so each plan has its own
        code = Plan._compute.__code__.replace(co_name="compute")
        compute = FunctionType(code, Plan._compute.__globals__)
        compute.__kwdefaults__ = Plan._compute.__kwdefaults__
        compiled = torch.compile(compute, fullgraph=True, dynamic=False, **options)

        def run(*tensors: Tensor) -> Any:  # as for __call__
            with torch._dynamo.config.patch(recompile_limit=_SHAPES):
                return compiled(self, *tensors)

        self._run = run

    def _step_by_step(self, *tensors: Tensor) -> Any:  # as for __call__
        done: list[int] = []
        try:
            return self._compute(*tensors, done=done)
        except (GraphError, torch.OutOfMemoryError):
            raise
        except (RuntimeError, ValueError) as error:
            origin, step = self._origins[len(done)], self._steps[len(done)]
            where = f"{origin}: " if origin else ""
            raise GraphError(f"{where}{step.kernel}: {error}") from error

    def _compute(self, *tensors: Tensor, done: list[int] | None = None) -> Any:  # as for __call__
        values: list[Any] = [*tensors, *[None] * len(self._steps)]
        for kernel, args, slot, freed in self._steps:
            values[slot] = kernel(*[values[arg] for arg in args])
            for each in freed:
                values[each] = None
            if done is not None:
                done.append(slot)
        return values[self._output]

    def __str__(self) -> str:
        lines = []
        for (kernel, args, slot, _), origin in zip(self._steps, self._origins, strict=True):
            step = f"%{slot} = {kernel} of {', '.join(f'%{arg}' for arg in args)}"
            lines.append(f"{step:<60} {origin}".rstrip())
        return "\n".join([*lines, f"output %{self._output}"])


def _kernels_in_place(order: Sequence[Expr[Kernel]]) -> list[Kernel]:
    """Return the kernels of expressions, in place if nothing else needs their input.

    The gradients of a normalization need its input but not its output, which can therefore be overwritten.
    """
    uses = Counter(id(arg) for expr in order for arg in expr.args)
    kernels: list[Kernel] = []
    for kernel, args in ((expr.kernel, expr.args) for expr in order):
        if isinstance(kernel, (Relu, DropPath)) and is_by(args[0], Norm) and uses[id(args[0])] == 1:
            kernel = replace(kernel, in_place=True)
        kernels.append(kernel)
    return kernels
