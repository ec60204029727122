"""A trained network as a file that runs without this project: of torch.export, or ONNX."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from nasbench.runs.files import make_parent, replacing
from oneshot.errors import ConfigError, ExportError, GraphError, MissingDependencyError
from oneshot.graph.graph import Graph

_TRACED, _CHECKED = 2, 3  # images in the batch that is traced, and in the one that a file is checked with
_SIZES = {"images": {0: torch.export.Dim("batch")}}  # that may differ


class Exported(NamedTuple):
    """A file, and how far its output is from the network's."""

    path: Path
    bytes: int
    #: The greatest absolute difference of a logit.
    difference: float


class _Format(NamedTuple):
    """A kind of file."""

    name: str
    needs: tuple[str, ...]  # packages in addition to torch
    write: Callable[[ExportedProgram, Path], None]  # the program is used up
    run: Callable[[Path, Tensor], Tensor]  # from images to logits


def check(path: str | Path) -> None:
    """Check that a network can be exported to a file.

    Parameters
    ----------
    path
        The file, which need not exist.

    Raises
    ------
    ConfigError
        If the suffix is unknown.
    MissingDependencyError
        If a package that the format needs is not installed.
    """
    suffix = Path(path).suffix
    if suffix not in _FORMATS:
        known = " or ".join(f"{suffix} ({kind.name})" for suffix, kind in _FORMATS.items())
        raise ConfigError(f"a network is exported to a file that ends in {known}, got {str(path)!r}")
    kind = _FORMATS[suffix]
    try:
        for package in kind.needs:
            import_module(package)
    except ImportError:
        raise MissingDependencyError(
            f"{kind.name} needs {' and '.join(kind.needs)}: pip install {' '.join(kind.needs)}"
        ) from None


def export(
    network: Graph, path: str | Path, image: tuple[int, int, int] = (3, 32, 32), tolerance: float = 1e-3
) -> Exported:
    """Write a parsed graph, as it is in evaluation mode, to a .pt2 or .onnx file.

    The file computes `logits` (N, classes) of `images`, float32 (N, C, H, W) on the CPU, for any N. It
    appears once it was loaded again and agreed with the network for another N than it was made with. A copy
    is exported: the graph and the state of random numbers stay as they were.

    Parameters
    ----------
    network
        The graph.
    path
        The file; its suffix says the format.
    image
        The shape (C, H, W) of an image.
    tolerance
        The greatest difference of a logit, as a share of the greatest logit if that is above 1; float32 alone
        makes 2e-4 in networks of 20 cells.

    Returns
    -------
    Exported
        The file, its size and the difference.

    Raises
    ------
    ConfigError
        If the suffix is unknown.
    MissingDependencyError
        If a package that the format needs is not installed.
    ExportError
        If torch cannot trace the network, or a logit differs by more than the tolerance.
    """
    check(path)
    path = Path(path)
    kind = _FORMATS[path.suffix]
    images = torch.randn(_TRACED + _CHECKED, *image, generator=torch.Generator().manual_seed(0))
    traced, checked = images[:_TRACED], images[_TRACED:]
    copy = _Network(network.clone()).to("cpu", torch.float32).to(memory_format=torch.contiguous_format).eval()
    make_parent(path)
    with replacing(path) as temporary, torch.no_grad():
        expected = copy(checked)
        kind.write(_program(copy, traced), temporary)
        difference = (kind.run(temporary, checked) - expected).abs().max().item()
        if not difference <= tolerance * max(1.0, expected.abs().max().item()):
            raise ExportError(
                f"{kind.name} of {network.name} is off by {difference:.3g} in a logit, which is more than the"
                f" tolerance of {tolerance:g}; {path.name} was not written"
            )
    return Exported(path, path.stat().st_size, difference)


class _Network(nn.Module):
    """A graph interpreted, with a name for its input; plans are not for batches of unknown size."""

    def __init__(self, network: Graph) -> None:
        super().__init__()
        self.network = network  # not `graph`, which modules of torch.fx have already

    def forward(self, images: Tensor) -> Any:  # as of a graph
        return self.network.interpret(images)


def _program(network: _Network, images: Tensor) -> ExportedProgram:
    """Return the program of what a network's output depends on, without the paths of source files."""
    try:
        program = torch.export.export(network, (images,), dynamic_shapes=_SIZES, strict=False)
    except (RuntimeError, GraphError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ExportError(f"torch.export cannot trace {network.network.name}: {reason}") from error
    graph, inputs = program.graph, program.graph_signature.input_specs
    graph.eliminate_dead_code()
    unused = {node.name: node for node in graph.nodes if node.op == "placeholder" and not node.users}
    for each in [each for each in inputs if each.target is not None and each.arg.name in unused]:
        inputs.remove(each)
        graph.erase_node(unused[each.arg.name])
        for tensors in (program.state_dict, program.constants):
            tensors.pop(each.target, None)
    for node in graph.nodes:
        node.meta.pop("stack_trace", None)
    return program


def _write_program(program: ExportedProgram, path: Path) -> None:
    with open(path, "wb") as file:  # of a path, torch would want another suffix
        torch.export.save(program, file)


def _run_program(path: Path, images: Tensor) -> Tensor:
    with open(path, "rb") as file:
        logits: Tensor = torch.export.load(file).module()(images)
    return logits


def _write_onnx(program: ExportedProgram, path: Path) -> None:
    written = torch.onnx.export(
        program,
        dynamo=True,
        verbose=False,
        input_names=["images"],
        output_names=["logits"],
        dynamic_shapes=_SIZES,
    )
    written.save(path)  # type: ignore[union-attr]  # it is None only without dynamo


def _run_onnx(path: Path, images: Tensor) -> Tensor:
    from onnx.reference import ReferenceEvaluator

    (logits,) = ReferenceEvaluator(str(path)).run(["logits"], {"images": images.numpy()})
    return torch.from_numpy(logits)


_FORMATS = {
    ".pt2": _Format("torch.export", (), _write_program, _run_program),
    ".onnx": _Format("ONNX", ("onnx", "onnxscript"), _write_onnx, _run_onnx),
}
