import os
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
import torch
from onnx.reference import ReferenceEvaluator
from torch import nn

from oneshot.errors import ConfigError, ExportError, MissingDependencyError
from oneshot.export import check, export
from oneshot.ops import AuxiliaryHead
from oneshot.spaces.genotype import PRIMITIVES, Hierarchy
from oneshot.spaces.nb201 import build_network
from oneshot.spaces.published import DARTS_V2
from oneshot.spaces.registry import get_space
from tests.oneshot.graph.examples import chain

ROOT = Path(__file__).parents[2]
SUFFIXES = pytest.mark.parametrize("suffix", [".pt2", ".onnx"])


def images(count, size=16):
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(count))


def after_batches(network, size):
    """A network with the running statistics of some batches, so that its logits vary with the image."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the mean over batches
    with torch.no_grad():
        for count in (8, 9):
            network(images(count, size))
    return network


def trained():
    """A small network of the benchmark."""
    torch.manual_seed(0)
    return after_batches(build_network(6111, channels=2, cells=1), 16)


def assert_alike(path, network, count, size):
    """A file and a network give the same logits, and others for each image."""
    with torch.no_grad():
        expected = network.clone().eval()(images(count, size))
        torch.testing.assert_close(loaded(path)(images(count, size)), expected, rtol=1e-4, atol=1e-5)
    assert count == 1 or expected.std(dim=0).max() > 0.01


def loaded(path):
    """The function from images to logits that a file is."""
    if path.suffix == ".pt2":
        return torch.export.load(path).module()
    session = ReferenceEvaluator(str(path))
    return lambda x: torch.from_numpy(session.run(["logits"], {"images": x.numpy()})[0])


@pytest.fixture(scope="module")
def network():
    return trained()


@pytest.fixture(scope="module")
def files(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    return {suffix: export(network, folder / f"model{suffix}", (3, 16, 16)) for suffix in (".pt2", ".onnx")}


@SUFFIXES
def test_a_file_computes_what_the_network_does_for_any_batch(suffix, files, network):
    path, size, difference = files[suffix]
    assert size == path.stat().st_size > 4 * sum(tensor.numel() for tensor in network.parameters())
    assert difference < 1e-5
    assert [each.name for each in path.parent.glob(f"*{suffix}*")] == [path.name]
    for count in (1, 2, 7):
        assert_alike(path, network, count, 16)


@SUFFIXES
def test_a_file_names_no_folder_of_the_machine(suffix, files):
    content = files[suffix].path.read_bytes()
    assert str(ROOT).encode() not in content
    assert str(Path(torch.__file__).parent).encode() not in content


def test_a_program_has_operations_of_torch_alone(files):
    program = torch.export.load(files[".pt2"].path)
    targets = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
    assert "aten.conv2d.default" in targets
    assert {target.split(".")[0] for target in targets} == {"aten"}


def test_a_model_has_operations_of_onnx_alone(files):
    model = onnx.load(files[".onnx"].path)
    onnx.checker.check_model(model, full_check=True)
    assert {opset.domain for opset in model.opset_import} == {""}
    assert not model.functions
    kinds = {node.op_type for node in model.graph.node}
    assert kinds == {
        "Add",
        "AveragePool",
        "BatchNormalization",
        "Conv",
        "Gemm",
        "ReduceMean",
        "Relu",
        "Reshape",
    }
    for tensor, name, sizes in (
        (model.graph.input, "images", ["batch", 3, 16, 16]),
        (model.graph.output, "logits", ["batch", 10]),
    ):
        assert [each.name for each in tensor] == [name]
        assert [size.dim_param or size.dim_value for size in tensor[0].type.tensor_type.shape.dim] == sizes


def test_a_program_runs_in_a_process_without_this_project(files, network, tmp_path):
    torch.save(images(5), tmp_path / "images.pt")
    code = f"""
import sys, torch
logits = torch.export.load({str(files[".pt2"].path)!r}).module()(torch.load("images.pt"))
assert not {{"oneshot", "nasbench", "data"}} & set(sys.modules)
torch.save(logits.detach(), "logits.pt")
"""
    command = [sys.executable, "-I", "-W", "error", "-c", code]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    expected = network.clone().eval()(images(5)).detach()
    torch.testing.assert_close(torch.load(tmp_path / "logits.pt"), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_network_of_the_space_of_darts_without_its_auxiliary_head(tmp_path):
    torch.manual_seed(0)
    network = get_space("darts").network(DARTS_V2, channels=2, cells=4, auxiliary=True)
    after_batches(network, 32)
    paths = [export(network, tmp_path / f"model{suffix}").path for suffix in (".pt2", ".onnx")]
    for path in paths:
        assert_alike(path, network, 5, 32)
    head = next(name for name, module in network.named_modules() if isinstance(module, AuxiliaryHead))
    program, model = torch.export.load(paths[0]), onnx.load(paths[1])
    for names in (list(program.state_dict), [each.name for each in model.graph.initializer]):
        assert any(name.startswith("network.edge_1_2") for name in names)
        assert not any(head in name or "num_batches_tracked" in name for name in names)


def test_a_network_of_the_hierarchical_space(tmp_path):
    torch.manual_seed(0)
    motifs = (PRIMITIVES[1:4], PRIMITIVES[4:])
    network = get_space("hierarchical").network(Hierarchy(motifs, (0, 1, 0)), channels=2, cells=1)
    after_batches(network, 32)
    assert_alike(export(network, tmp_path / "model.onnx").path, network, 5, 32)


@SUFFIXES
def test_the_network_stays_as_it_is(suffix, tmp_path, capfd):
    network = trained()
    network.edges[2, 3].op.eval()
    modes = [module.training for module in network.modules()]
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    numbers = torch.get_rng_state()
    export(network, tmp_path / f"model{suffix}", (3, 16, 16))
    assert [module.training for module in network.modules()] == modes
    torch.testing.assert_close(network.state_dict(), state, rtol=0, atol=0)
    assert torch.equal(torch.get_rng_state(), numbers)
    assert capfd.readouterr() == ("", "")


def test_a_network_whose_plans_are_compiled_and_in_double_precision(tmp_path):
    network = trained().double()
    network.compile(backend="none of these")
    assert export(network, tmp_path / "model.pt2", (3, 16, 16)).difference < 1e-5


def test_a_file_that_is_off_is_not_written(network, tmp_path):
    path = tmp_path / "model.pt2"
    path.write_text("before")
    with pytest.raises(ExportError, match=r"differ by .* the tolerance of -1; model\.pt2 was not written"):
        export(network, path, (3, 16, 16), tolerance=-1)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_logits_that_are_no_numbers_are_not_exported(tmp_path):
    network = trained()
    nn.init.constant_(network.edges[1, 2].op.bn.weight, float("nan"))
    with pytest.raises(ExportError, match="differ by nan"):
        export(network, tmp_path / "model.pt2", (3, 16, 16))
    assert not list(tmp_path.iterdir())


class OfOneSize(nn.Module):
    """A layer that cannot be traced for batches of any size."""

    def forward(self, x):
        return x.reshape(len(x), -1)


class OnNumbers(nn.Module):
    """A layer that computes by what its input's values are."""

    def forward(self, x):
        return -x if x.sum() > 0 else x


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (OfOneSize(), r"Constraints violated \(batch\)!.*"),
        (OnNumbers(), "edge 1-2 of odd: Could not guard on .*"),
    ],
)
def test_a_network_that_cannot_be_traced(layer, said, tmp_path):
    network = chain(layer, name="odd").parse()
    with pytest.raises(ExportError, match=f"^torch.export cannot trace odd: {said}$"):
        export(network, tmp_path / "model.pt2", (3, 4, 4))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["model", "model.pt", "model.onnx.gz", ".onnx"])
def test_a_suffix_says_what_kind_of_file(name, network, tmp_path):
    for call in (check, lambda path: export(network, path)):
        with pytest.raises(ConfigError, match=r"end in \.pt2 \(torch\.export\) or \.onnx \(ONNX\), got '.*'"):
            call(tmp_path / name)


@pytest.mark.parametrize("package", ["onnx", "onnxscript"])
def test_without_a_package_an_error_says_what_would_do(package, network, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    check("model.pt2")
    with pytest.raises(MissingDependencyError, match="^ONNX needs .*: pip install onnx onnxscript$"):
        check("model.onnx")
    with pytest.raises(MissingDependencyError, match="pip install onnx onnxscript"):
        export(network, tmp_path / "model.onnx")
