"""HW-NAS-Bench's file, written value by value as its format has it."""

import pickle
import random
import re
import shutil

import numpy as np
import pytest

from nasbench import CELLS, Cell
from nasbench.build.sources.hw_nas_bench import HWNASBench
from nasbench.build.sources.registry import open_source
from nasbench.cell import official_order
from nasbench.errors import NASBenchError, SourceError, UnsafePickleError

DATASETS = {"cifar10": "cifar10", "cifar100": "cifar100", "ImageNet16-120": "imagenet16-120"}
METRICS = [
    "edgegpu_latency",
    "edgegpu_energy",
    "raspi4_latency",
    "edgetpu_latency",
    "pixel3_latency",
    "eyeriss_latency",
    "eyeriss_energy",
    "eyeriss_arithmetic_intensity",
    "fpga_latency",
    "fpga_energy",
]
# Of index 0 on cifar10, from the authors' README.
PUBLISHED = {
    "edgegpu_latency": 5.807418537139893,
    "raspi4_latency": 10.481976820010459,
    "fpga_energy": 18.01072,
}
ARCHS = [str(Cell(code)) for code in official_order().tolist()]
FBNET = {"edgegpu_latency": {"ConvNorm_H32_W32_Cin3_Cout16_kernel3_stride1_group1": 0.25}}


def config():
    return [{"name": "infer.tiny", "C": 16, "N": 5, "arch_str": arch, "num_classes": 10} for arch in ARCHS]


def column(seed):
    return np.random.default_rng(seed).uniform(0.1, 50, CELLS).tolist()


def tables(metrics=METRICS, datasets=DATASETS):
    """{data set: {metric: values by index}}, random but for the published ones."""
    made = {
        name: {metric: column(100 * place + number) for number, metric in enumerate(metrics)}
        for place, name in enumerate(datasets)
    }
    for metric, value in PUBLISHED.items():
        if metric in metrics:
            made["cifar10"][metric][0] = value
    return made


def write(folder, spaces, protocol=4):
    path = folder / "HW-NAS-Bench-v1_0.pickle"
    path.write_bytes(pickle.dumps(spaces, protocol))
    return path


def read(path):
    source = open_source(path)
    (task,) = source.tasks
    (batch,) = source.read(task)
    assert (batch.start, batch.cells, source.seeds) == (0, CELLS, {})
    assert source.layout == dict.fromkeys(batch.rows, ())
    return source, batch.rows


@pytest.fixture(scope="module")
def made():
    return tables()


@pytest.mark.parametrize("protocol", [2, 4])
def test_every_number_is_at_the_place_of_its_cell(tmp_path, made, protocol):
    spaces = {"nasbench201": {name: {**table, "config": config()} for name, table in made.items()}}
    source, rows = read(write(tmp_path, {**spaces, "fbnet": FBNET}, protocol))
    assert len(rows) == 30
    for name, table in made.items():
        for metric in METRICS:
            assert rows[f"{DATASETS[name]}/{metric}"][official_order()].tolist() == table[metric]
    code = Cell.from_index(0).code
    for metric, value in PUBLISHED.items():
        assert rows[f"cifar10/{metric}"][code] == value
    assert "official order (cifar10, cifar100, ImageNet16-120)" in source.checks[1]
    assert len(source.provenance["source_sha256"]) == 64
    assert source.identity()["sha256"] == source.provenance["source_sha256"]


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("dtype", [">f8", "<f8", "<f4"])
def test_arrays_are_read_like_lists(tmp_path, protocol, dtype):
    values = np.array(column(1), dtype)
    table = {"edgegpu_latency": values, "fpga_energy": list(values.astype(np.float64))}
    _, rows = read(write(tmp_path, {"nasbench201": {"cifar100": table}}, protocol))
    for name in ("edgegpu_latency", "fpga_energy"):
        assert rows[f"cifar100/{name}"][official_order()].tolist() == values.tolist()


def test_what_the_file_lacks_is_noted(tmp_path):
    made = tables(["edgegpu_latency", "fpga_energy"], ["cifar10"])
    source, rows = read(write(tmp_path, {"nasbench201": made}))
    assert set(rows) == {"cifar10/edgegpu_latency", "cifar10/fpga_energy"}
    assert source.notes[0].startswith("metrics missing from the file: cifar10/edgegpu_energy, ")
    assert "cifar100/edgegpu_latency" in source.notes[0]


@pytest.mark.parametrize("networks", [[{"C": 16}] * CELLS, {"C": 16}, None])
def test_networks_without_arch_strings_say_nothing_of_the_order(tmp_path, networks):
    table = {"edgegpu_latency": column(1), "config": networks}
    source, _ = read(write(tmp_path, {"nasbench201": {"cifar10": table}}))
    assert not any("order" in note for note in source.checks)


def swapped():
    networks = config()
    networks[3], networks[4] = networks[4], networks[3]
    return networks


class Stateless:
    """Pickled as an array that is never given its numbers."""

    def __reduce__(self):
        return np.ones(CELLS).__reduce__()[:2]


def with_value(value):
    return column(1)[:11] + [value] + column(1)[12:]


ONE = {"edgegpu_latency": [1.5] * CELLS}


@pytest.mark.parametrize(
    ("root", "message"),
    [
        ({"nasbench201": []}, r"no tables of 'nasbench201', got \[\]"),
        ({"nasbench201": {}}, r"no tables of 'nasbench201', got {}"),
        ({"fbnet": FBNET}, "no tables of 'nasbench201', got None"),
        (["nasbench201"], "no tables of 'nasbench201'"),
        (
            {"nasbench201": {"imagenet": ONE}},
            "'imagenet' must be the table of one of cifar10, cifar100, Im",
        ),
        ({"nasbench201": {"cifar10": [1]}}, "'cifar10' must be the table of one of"),
        (
            {"nasbench201": {"cifar10": {"config": config()}}},
            "has no known metric; the metrics are edgegpu_latency, ",
        ),
        (
            {"nasbench201": {"cifar10": {"tpu_latency": []}}},
            "cifar10: unknown metric 'tpu_latency'; the metrics are",
        ),
        ({"nasbench201": {"cifar10": {"latency": []}}}, "unknown metric 'latency'"),
        ({"nasbench201": {"cifar10": {5: []}}}, "unknown metric 5"),
        (
            {"nasbench201": {"cifar10": {"fpga_energy": [1.5]}}},
            "fpga_energy must have 15,625 values, got 1",
        ),
        (
            {"nasbench201": {"cifar10": {"fpga_energy": Stateless()}}},
            "fpga_energy must have 15,625 values, got 0",
        ),
        ({"nasbench201": {"cifar10": {"fpga_energy": {}}}}, "fpga_energy must have 15,625 values, got {}"),
        (
            {"nasbench201": {"cifar10": {"fpga_energy": np.ones(5)}}},
            "fpga_energy must have 15,625 values, got 5",
        ),
        (
            {"nasbench201": {"cifar10": {"fpga_energy": np.ones((CELLS, 1))}}},
            "ValueError: expected an array of",
        ),
        (
            {"nasbench201": {"cifar10": ONE | {"config": swapped()}}},
            r"network 3 must be \|.*; the order is not",
        ),
        ({"nasbench201": {"cifar10": ONE | {"config": config()[:-1]}}}, "have 15,625 networks, got 15,624"),
        (
            {"nasbench201": {"cifar10": ONE | {"config": [5, *config()[1:]]}}},
            "network 0 must be .*, got None",
        ),
        *[
            (
                {"nasbench201": {"cifar100": {"fpga_energy": with_value(value)}}},
                f"cifar100: fpga_energy of index 11 must be a positive number, got {value!r}",
            )
            for value in (0.0, -1.0, float("nan"), float("inf"), "1.0", True, None)
        ],
    ],
)
def test_what_the_format_does_not_foresee_is_an_error(tmp_path, root, message):
    path = write(tmp_path, root)
    with pytest.raises(SourceError, match=message) as caught:
        HWNASBench(path)
    assert str(caught.value).startswith(str(path))


def test_a_global_is_refused_by_name(tmp_path):
    path = write(tmp_path, {"nasbench201": {"cifar10": {"edgegpu_latency": shutil.rmtree}}})
    with pytest.raises(UnsafePickleError, match=r"v1_0.pickle needs the global shutil.rmtree"):
        open_source(path)


def test_a_file_too_large_is_refused_unread(tmp_path):
    path = write(tmp_path, {"nasbench201": {"cifar10": ONE}})
    with open(path, "r+b") as file:
        file.truncate(1 << 40)  # sparse
    with pytest.raises(SourceError, match="1,099,511,627,776 bytes, more than HW-NAS-Bench can have"):
        open_source(path)


def test_a_missing_file_and_a_folder_are_errors(tmp_path):
    with pytest.raises(SourceError, match=r"cannot read .*missing.pickle: No such file"):
        HWNASBench(tmp_path / "missing.pickle")
    with pytest.raises(SourceError, match="cannot read .*: Is a directory"):
        HWNASBench(tmp_path)


def test_a_file_that_may_not_be_read_is_an_error(unprivileged):
    def check(folder):
        path = write(folder, {"nasbench201": {"cifar10": ONE}})
        path.chmod(0)
        with pytest.raises(SourceError, match="cannot read .*: Permission denied"):
            HWNASBench(path)

    unprivileged(check)


@pytest.fixture
def small(tmp_path):
    """A file with a list and an array."""
    table = {"edgegpu_latency": [2] * CELLS, "fpga_energy": np.ones(CELLS)}
    return write(tmp_path, {"nasbench201": {"cifar10": table}, "fbnet": FBNET}, 3)


def test_a_file_that_is_truncated_anywhere_is_an_error(small):
    data = small.read_bytes()
    rng = random.Random(0)
    for size in [0, 1, len(data) - 1, *(rng.randrange(len(data)) for _ in range(200))]:
        small.write_bytes(data[:size])
        with pytest.raises(NASBenchError, match=re.escape(str(small))):
            open_source(small)


def test_a_flipped_bit_gives_an_error_or_numbers_that_can_be(small):
    data = small.read_bytes()
    rng = random.Random(1)
    places = [*range(100), *(rng.randrange(len(data)) for _ in range(100))]  # the head is what has structure
    refused = 0
    for place in places:
        flipped = bytes([data[place] ^ 1 << rng.randrange(8)])
        small.write_bytes(data[:place] + flipped + data[place + 1 :])
        try:
            _, rows = read(small)
        except NASBenchError:
            refused += 1
            continue
        assert all((np.isfinite(row) & (row > 0)).all() for row in rows.values())
    assert refused
