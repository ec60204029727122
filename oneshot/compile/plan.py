"""Plans: a graph's expressions as steps in order, each tensor let go after its last use."""

from types import FunctionType

import torch

from oneshot.compile.expr import Input, in_order
from oneshot.compile.fuse import fuse
from oneshot.compile.reuse import kernels_in_place
from oneshot.errors import GraphError

_SHAPES = 64  # of batches, times what needs gradients; compiled for each


class Plan:
    """The steps that compute a graph's output; call it with the graph's inputs and its mixed edges' weights.

    `print(plan)` shows a line a step: the tensor that it makes, of which others, and where in the graph it is
    from.
    """

    def __init__(self, lowering, root):
        self._structure = lowering.structure
        root = fuse(root, lowering)
        order, place = [], {}
        for expr in in_order(root):
            if isinstance(expr.kernel, Input):
                place[id(expr)] = expr.kernel.number
            else:
                place[id(expr)] = lowering.inputs + len(order)
                order.append(expr)
        self._output = place[id(root)]
        last = {}
        for number, expr in enumerate(order):
            for arg in expr.args:
                last[place[id(arg)]] = number
        let_go = [[] for _ in order]
        for slot, number in last.items():
            if slot != self._output:
                let_go[number].append(slot)
        self._steps = [
            (kernel, tuple(place[id(arg)] for arg in expr.args), place[id(expr)], tuple(let_go[number]))
            for number, (expr, kernel) in enumerate(zip(order, kernels_in_place(order), strict=True))
        ]
        self._run = self._step_by_step
        self._origins = ["; ".join(expr.origins) for expr in order]

    def __len__(self):
        return len(self._steps)

    def holds(self):
        """Whether the graph is still made of what the plan was made from."""
        return self._structure.holds()

    def __call__(self, *tensors):
        """The output; tensors of images are taken with channels last, whatever their layout."""
        tensors = [t.contiguous(memory_format=torch.channels_last) if t.dim() == 4 else t for t in tensors]
        return self._run(*tensors)

    def compile(self, **options):
        """Run all steps as one function of `torch.compile(**options)`, compiled for each shape of inputs."""
        code = Plan._compute.__code__.replace(co_name="compute")  # its own: torch counts compilations by code
        compute = FunctionType(code, Plan._compute.__globals__)
        compute.__kwdefaults__ = Plan._compute.__kwdefaults__
        compiled = torch.compile(compute, fullgraph=True, dynamic=False, **options)

        def run(*tensors):
            with torch._dynamo.config.patch(recompile_limit=_SHAPES):
                return compiled(self, *tensors)

        self._run = run

    def _step_by_step(self, *tensors):
        done = []
        try:
            return self._compute(*tensors, done=done)
        except (GraphError, torch.OutOfMemoryError):
            raise
        except (RuntimeError, ValueError) as error:
            origin, step = self._origins[len(done)], self._steps[len(done)]
            raise GraphError(f"{origin}: {step[0]}: {error}") from error

    def _compute(self, *tensors, done=None):
        values = [*tensors, *[None] * len(self._steps)]
        for kernel, args, slot, let_go in self._steps:
            values[slot] = kernel(*[values[arg] for arg in args])
            for each in let_go:
                values[each] = None
            if done is not None:
                done.append(slot)
        return values[self._output]

    def __str__(self):
        lines = []
        for (kernel, args, slot, _), origin in zip(self._steps, self._origins, strict=True):
            step = f"%{slot} = {kernel} of {', '.join(f'%{arg}' for arg in args)}"
            lines.append(f"{step:<60} {origin}".rstrip())
        return "\n".join([*lines, f"output %{self._output}"])
