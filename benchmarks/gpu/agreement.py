"""Agreement of the GPU with the CPU, and of compiled plans with the reference implementation."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from benchmarks.gpu.meter import Meter
from benchmarks.gpu.record import Check, Row, judged
from benchmarks.gpu.sizes import SPACES, Scale, build_small
from benchmarks.supernet import new_method
from oneshot import ops
from oneshot.graph.graph import Graph
from oneshot.methods.base import MetaOptimizer
from oneshot.spaces.published import DARTS_V2
from oneshot.spaces.registry import get_space
from oneshot.training.metrics import measure_accuracy

EXACT = 1e-9  # in float64, relative to the largest number of a tensor
CLOSE = 1e-2  # in float32, because a GPU may multiply with a mantissa of 10 bits
ROUGH = 0.1  # in bfloat16
STEPS = 2
BATCH = 4
METHODS: dict[str, tuple[str, dict[str, Any]]] = {  # values of settings
    "DARTS, first order": ("darts", {"order": 1}),
    "DARTS, second order": ("darts", {"order": 2}),
    "GDAS, authors": ("gdas", {"estimator": "authors"}),
    "GDAS, sampled": ("gdas", {"estimator": "sampled"}),
    "GDAS, full": ("gdas", {"estimator": "full"}),
    "DrNAS": ("drnas", {}),
    "PC-DARTS": ("pc-darts", {}),
}
_HIERARCHY = "Hierarchy(motifs=[['conv_1x1', 'none', 'max_pool_3x3']], cell=[0, 0, 0])"
_RANDOM = (
    *("bernoulli", "bernoulli_", "exponential_", "normal_", "uniform_"),
    *("_sample_dirichlet", "_standard_gamma"),
)


class SampledOnCpu(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's
    """Mode that samples random numbers on the CPU, so that they are the same on every device."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's

    def __torch_dispatch__(
        self,
        func: Any,  # torch does not type its overloads
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # whatever the operation returns
        kwargs = dict(kwargs or {})
        name = func._schema.name.removeprefix("aten::")
        given = args[0] if args and isinstance(args[0], Tensor) else None
        if name not in _RANDOM or given is None or given.device.type == "cpu":
            return func(*args, **kwargs)
        sampled = func(*tree_map(_on_cpu, tuple(args)), **tree_map(_on_cpu, kwargs))
        return given.copy_(sampled) if name.endswith("_") else sampled.to(given.device)


def _on_cpu(value: object) -> object:
    return value.cpu() if isinstance(value, Tensor) else value


def random_batch(count: int, side: int, device: torch.device, seed: int) -> tuple[Tensor, Tensor]:
    """Return images in float64 and labels, the same on any device."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(count, 3, side, side, generator=generator, dtype=torch.float64)
    return images.to(device), torch.randint(10, (count,), generator=generator).to(device)


def difference(computed: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> float:
    """Return the maximum difference of tensors, relative to the maximum of each, or to 1 if it is below 1."""
    worst = 0.0
    for name, tensor in expected.items():
        scale = max(1.0, tensor.abs().max().item())
        each = (computed[name].cpu() - tensor.cpu()).abs().max().item() / scale
        worst = each if each != each else max(worst, each)  # NaN stays
        if worst != worst:
            return worst
    return worst


def stepped(method: MetaOptimizer[Any], side: int, device: torch.device) -> dict[str, Tensor]:
    """Return losses, weights and alphas of a method after some steps."""
    dtype = next(iter(method.weights)).dtype
    results: dict[str, Tensor] = {}
    torch.manual_seed(1)
    for number in range(STEPS):
        halves = []
        for half in (0, 1):
            images, labels = random_batch(BATCH, side, device, 2 * number + half)
            halves.append((images.to(dtype), labels))
        results[f"loss {number}"] = method.step(*halves).train_loss
    results |= {f"weight {k}": each.detach() for k, each in enumerate(method.weights)}
    return results | {f"alpha {k}": each.detach() for k, each in enumerate(method.alphas)}


def adapted(
    name: str, space: Graph, device: torch.device, amp: bool = False, **settings: Any
) -> MetaOptimizer[Any]:  # whatever its settings
    """Return a method with the supernet of a space; its alphas are the same on any device."""
    torch.manual_seed(0)
    method = new_method(name, amp, **settings)
    method.adapt_search_space(space, device=device)
    return method


def _methods(scale: Scale, space: str, meter: Meter) -> Iterator[Row]:
    """Compare methods on the device with the CPU."""
    sizes = scale.compared[space]
    for title, (name, settings) in METHODS.items():
        if name == "pc-darts":
            sizes = sizes._replace(channels=max(sizes.channels, 4))
        graph = build_small(space, sizes)
        both = []
        for device in (meter.device, torch.device("cpu")):
            method = adapted(name, graph, device, **settings)
            method.graph.double()
            with SampledOnCpu():
                both.append(stepped(method, scale.side, device))
        yield judged(title, difference(*both), EXACT)


def trained(space: str, scale: Scale, device: torch.device) -> dict[str, Tensor]:
    """Return weights, statistics and test results of a space's network after steps of training."""
    architectures = {"nb201": "6111", "darts": str(DARTS_V2), "hierarchical": _HIERARCHY}
    space_class, sizes = get_space(space), scale.compared[space]
    auxiliary = space_class.has_auxiliary and scale.side == 32
    torch.manual_seed(0)
    cells = max(sizes.cells, 4) if auxiliary else sizes.cells
    network: nn.Module = space_class.network(
        space_class.read(architectures[space]), 10, sizes.channels, cells, auxiliary=auxiliary
    )
    network = network.to(device).to(memory_format=torch.channels_last).double().train()
    for module in network.modules():
        if isinstance(module, ops.DropPath):
            module.rate = 0.2
    optimizer = torch.optim.SGD(network.parameters(), 0.025, 0.9, weight_decay=3e-4, foreach=True)
    torch.manual_seed(1)
    with SampledOnCpu():
        for number in range(STEPS):
            images, labels = random_batch(BATCH, scale.side, device, number)
            output = network(images)
            heads = output if isinstance(output, tuple) else (output,)
            optimizer.zero_grad()
            torch.stack([cross_entropy(each, labels) for each in heads]).sum().backward()  # type: ignore[no-untyped-call]  # torch's
            nn.utils.clip_grad_norm_(network.parameters(), 5.0, foreach=True)
            optimizer.step()
    accuracy = measure_accuracy(network, [random_batch(BATCH, scale.side, device, 9)], 10)
    tensors = {name: each.detach().double() for name, each in network.state_dict().items()}
    return tensors | {"test": torch.tensor([accuracy.loss, accuracy.top1], dtype=torch.float64)}


def _networks(scale: Scale, meter: Meter) -> Iterator[Row]:
    """Compare training from scratch on the device with the CPU."""
    for space in SPACES:
        both = [trained(space, scale, device) for device in (meter.device, torch.device("cpu"))]
        yield judged(space, difference(*both), EXACT)


def outcome(method: MetaOptimizer[Any], run: Callable[[Tensor], Tensor], images: Tensor) -> dict[str, Tensor]:
    """Return the output of a pass and its gradients."""
    output = run(images)
    parameters = [*method.weights, *method.alphas]
    loss = output.square().mean()
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)
    return {"output": output.detach()} | {f"gradient {k}": each for k, each in enumerate(gradients)}


def _plans(scale: Scale, meter: Meter) -> Iterator[Row]:
    """Compare plans with `interpret`, on the device."""
    for space in SPACES:
        method = adapted("darts", build_small(space, scale.compared[space]), meter.device)
        graph = method.graph.double()
        images, _ = random_batch(BATCH, scale.side, meter.device, 0)
        compiled = outcome(method, graph, images)
        yield judged(space, difference(compiled, outcome(method, graph.interpret, images)), EXACT)


def _amp(scale: Scale, meter: Meter) -> Iterator[Row]:
    """Compare bfloat16 with float32, on the device."""
    if meter.without_bf16 is not None:
        yield Row("--amp", "skipped", reason=meter.without_bf16)
        return
    for space in SPACES:
        both, graph = [], build_small(space, scale.compared[space])
        for amp in (True, False):
            method = adapted("darts", graph, meter.device, amp)
            both.append(_losses(stepped(method, scale.side, meter.device)))
        yield judged(space, difference(*both), ROUGH)


def compile_method(method: MetaOptimizer[Any], meter: Meter) -> None:
    """Run a method's supernet through torch.compile; on the CPU, skip the slow generation of code."""
    if meter.device.type == "cuda":
        method.compile()
    else:
        method.graph.compile(backend="eager")


def _compile(scale: Scale, meter: Meter) -> Iterator[Row]:
    """Compare torch.compile with plans, on the device."""
    both, graph = [], build_small("nb201", scale.compared["nb201"])
    for compiles in (True, False):
        method = adapted("darts", graph, meter.device)
        if compiles:
            compile_method(method, meter)
        both.append(_losses(stepped(method, scale.side, meter.device)))
    yield judged("nb201", difference(*both), CLOSE)


def _losses(results: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: each for name, each in results.items() if name.startswith("loss")}


def _waits(scale: Scale, meter: Meter) -> Iterator[Row]:
    """Count how often the host waits for the device in a step."""
    for title, (name, settings) in METHODS.items():
        space = "darts" if name == "pc-darts" else "nb201"
        sizes = scale.compared[space]
        graph = build_small(space, sizes._replace(channels=max(sizes.channels, 4)))
        method = adapted(name, graph, meter.device, **settings)
        images, labels = random_batch(BATCH, scale.side, meter.device, 0)
        data = images.float(), labels
        for _ in range(2):
            method.step(data, data)
        count = meter.waits(partial(method.step, data, data))
        allowed = 2 if name == "gdas" and settings["estimator"] != "full" else 0
        if meter.device.type == "cpu":  # Adam reads its step, which is always on the CPU
            allowed += 2 * len(method.alphas)
        reason = "" if count <= allowed else f"waits {count} times"
        yield Row(title, "ok" if count <= allowed else "FAILED", {"waits": count, "allowed": allowed}, reason)


def _released(scale: Scale, meter: Meter) -> Iterable[Row]:
    """Check that a supernet's memory is released."""
    meter.release()
    before = meter.allocated()
    method = adapted("darts", build_small("nb201", scale.compared["nb201"]), meter.device)
    stepped(method, scale.side, meter.device)
    held = meter.allocated() - before
    del method
    meter.release()
    left = meter.allocated() - before
    values = {"held [MiB]": round(held, 2), "left [MiB]": round(left, 2)}
    return (
        [Row("a supernet", "ok", values)]
        if left <= max(1.0, held / 100)
        else [Row("a supernet", "FAILED", values, f"{left:.1f} MiB are not released")]
    )


def checks(scale: Scale) -> list[Check]:
    """Return the correctness checks of steps and networks."""
    methods = [
        Check("correctness", f"methods in {space}, float64", partial(_methods, scale, space))
        for space in SPACES
    ]
    return [
        *methods,
        Check("correctness", "training and test from scratch, float64", partial(_networks, scale)),
        Check("correctness", "plan against interpret, float64", partial(_plans, scale)),
        Check("correctness", "--amp against float32", partial(_amp, scale)),
        Check("correctness", "--compile against the plan", partial(_compile, scale)),
        Check("correctness", "host waits per step", partial(_waits, scale)),
        Check("correctness", "memory after a search", partial(_released, scale)),
    ]
