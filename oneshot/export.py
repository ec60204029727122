"""Export of networks to files that run without this project: torch.export or ONNX."""

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

_TRACED, _CHECKED = 2, 3  # images in the batch for tracing and in the batch for checking the file
_SIZES = {"images": {0: torch.export.Dim("batch")}}  # dimensions of variable size


class Exported(NamedTuple):
    """An exported file."""

    #: path of the file
    path: Path
    #: size of the file in bytes
    bytes: int
    #: maximum absolute difference of a logit from the network's
    difference: float


class _Format(NamedTuple):
    """A file format."""

    name: str
    needs: tuple[str, ...]  # packages in addition to torch
    write: Callable[[ExportedProgram, Path], None]  # changes the program
    run: Callable[[Path, Tensor], Tensor]  # from images to logits


def check(path: str | Path) -> None:
    """Check that a network can be exported to a file.

    Parameters
    ----------
    path
        Path of the file, which need not exist; its suffix selects the format.

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
        raise ConfigError(f"the name of an exported file must end in {known}, got {str(path)!r}")
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
    """Write a parsed graph in evaluation mode to a .pt2 or .onnx file.

    The file computes `logits` (N, classes) from `images`, float32 (N, C, H, W), on the CPU and for any N. It
    is moved into place atomically after it has been loaded and compared with the network for another N. The
    graph and torch's random state do not change.

    Parameters
    ----------
    network
        Parsed graph.
    path
        File to write; its suffix selects the format.
    image
        Shape (C, H, W) of an image.
    tolerance
        Maximum absolute difference of a logit, relative to the maximum logit if that is above 1. Rounding of
        float32 causes 2e-4 in networks of 20 cells.

    Returns
    -------
    Exported
        Path, size and difference.

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
                f"logits of {network.name} in {kind.name} differ by {difference:.3g}, more than the tolerance"
                f" of {tolerance:g}; {path.name} was not written"
            )
    return Exported(path, path.stat().st_size, difference)


class _Network(nn.Module):
    """A graph evaluated edge by edge, because plans cannot have batches of unknown size."""

    def __init__(self, network: Graph) -> None:
        super().__init__()
        self.network = network  # not `graph`, an attribute of modules of torch.fx

    def forward(self, images: Tensor) -> Any:  # as for a graph
        return self.network.interpret(images)


def _program(network: _Network, images: Tensor) -> ExportedProgram:
    """Return the program of a network without unused inputs and without paths of source files."""
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
    with open(path, "wb") as file:  # given a path, torch requires the suffix .pt2
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
    written.save(path)  # type: ignore[union-attr]  # None only without dynamo


def _run_onnx(path: Path, images: Tensor) -> Tensor:
    from onnx.reference import ReferenceEvaluator

    (logits,) = ReferenceEvaluator(str(path)).run(["logits"], {"images": images.numpy()})
    return torch.from_numpy(logits)


_FORMATS = {
    ".pt2": _Format("torch.export", (), _write_program, _run_program),
    ".onnx": _Format("ONNX", ("onnx", "onnxscript"), _write_onnx, _run_onnx),
}
