"""The command: what it writes, what it refuses, what it says."""

import os
import re

import pytest

from nasbench import NB201
from tests import stores
from tests.nasbench.explore.conftest import data_of

PROG = "python -m nasbench: error:"


def refused(command, *argv):
    """What the command says on stderr, which is one line, when it fails."""
    code, out, err = command(*argv)
    assert (code, out, err.count("\n")) == (2, "", 1)
    return err


def test_the_default_table(command, bench, tmp_path):
    out = tmp_path / "new folder" / "explorer.html"
    code, printed, err = command("--out", out)
    assert (code, err) == (0, "")
    assert re.fullmatch(
        rf"15,625 cells with {len(bench.recorded())} metrics in .*explorer.html \(\d\.\d MB\)\nopen it: file:///.*\n",
        printed,
    )
    assert out.as_uri() in printed  # with its spaces quoted
    assert out.stat().st_size < 6e6
    assert len(data_of(out)["columns"]) == len(bench.recorded())


def test_the_size_space(command, sizes, tmp_path):
    code, printed, err = command("--store", sizes, "--dataset", "cifar10", "--out", tmp_path / "page.html")
    assert (code, err) == (0, "")
    assert printed.startswith("32,768 cells with ")


def test_a_store_without_accuracies(command, released, tmp_path):
    names = ["params", "flops", "raspi4_latency"]
    code, _, err = command("--store", released, "--metrics", *names, "--out", tmp_path / "page.html")
    assert (code, err) == (0, "note: the page has no accuracy; it starts with flops against params\n")


def test_what_does_not_fit_is_named(command, sizes, tmp_path):
    out = tmp_path / "page.html"
    code, _, err = command("--store", sizes, "--out", out)
    assert code == 0
    match = re.fullmatch(
        r"note: the page has room for (\d+) of 48 metrics; left out: imagenet16-120 .*;"
        r" use --dataset and --metrics to select others\n",
        err,
    )
    assert len(data_of(out)["columns"]) == int(match[1])
    assert err.removeprefix("note: ").strip() in out.read_text()
    assert 5e6 < out.stat().st_size < 6e6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--dataset", "mnist"],
            "unknown dataset 'mnist'; the datasets are cifar10, cifar100, imagenet16-120",
        ),
        (["--metrics", "val_acc"], "unknown metric 'val_acc' (it is called 'val_accuracy' here)"),
        (["--metrics", "params@12", "flops"], "params belongs to the network: it has no epochs"),
        (
            ["--metrics", "val_accuracy@12x"],
            "a metric must be METRIC or METRIC@EPOCHS, got 'val_accuracy@12x'",
        ),
        (["--metrics", "test_loss", "val_loss"], "has no test_loss; `info` lists its metrics"),
        (["--metrics", "valtest_time", "--dataset", "cifar100"], "has no valtest_time for cifar100"),
        (["--metrics", "train_loss"], "a page needs at least two metrics, got only cifar10 train_loss from"),
        (["--store", "absent.h5"], "no store at absent.h5"),
        (["--space", "sss"], "no store of the NATS-Bench size space"),
    ],
)
def test_what_cannot_be_shown(command, tmp_path, options, message):
    assert message in refused(command, *options, "--out", tmp_path / "page.html")
    assert os.listdir(tmp_path) == []


def test_a_store_of_a_damaged_file(command, tmp_path):
    (tmp_path / "store.h5").write_bytes(b"no store")
    err = refused(command, "--store", tmp_path / "store.h5", "--out", tmp_path / "page.html")
    assert "is not a store: it is not an HDF5 file" in err


def test_a_store_with_nothing_but_one_metric(command, tmp_path):
    only = stores.write(
        tmp_path / "only.h5",
        {name: NB201().store[name] for name in ("index", "isomorphism_class", "cifar10/latency")},
    )
    code, printed, err = command("--store", only, "--out", tmp_path / "page.html")
    assert (code, err) == (0, "note: the page has no accuracy; it starts with params against latency\n")
    assert "with 3 metrics" in printed  # parameters and multiply-adds by formula


def test_only_an_explorer_page_is_overwritten(command, explorer, tmp_path):
    out = tmp_path / "notes.html"
    out.write_text("my notes")
    options = ["--dataset", "cifar10", "--metrics", "params", "flops", "--out", out]
    err = refused(command, *options)
    assert err == f"{PROG} '{out}' exists and is not an explorer page; use --force to overwrite it\n"
    assert out.read_text() == "my notes"
    assert command(*options, "--force")[0] == 0
    assert command(*options)[0] == 0
    assert os.listdir(tmp_path) == ["notes.html"]


def test_what_cannot_be_written(command, tmp_path, unprivileged, capsys):
    options = ["--dataset", "cifar10", "--metrics", "params", "flops"]
    assert "--out must be a file, got the folder" in refused(command, *options, "--out", tmp_path)
    (tmp_path / "file").write_text("")
    assert refused(command, *options, "--out", tmp_path / "file" / "page.html").endswith("Not a directory\n")
    store = str(NB201().store.path)

    def denied(folder):
        own = folder / "store.h5"
        own.write_bytes(copy)
        folder.chmod(0o500)
        err = refused(command, *options, "--store", own, "--out", folder / "page.html")
        assert err == f"{PROG} --out cannot write '{folder / 'page.html'}': Permission denied\n"

    with open(store, "rb") as file:
        copy = file.read()
    unprivileged(denied)


def test_no_page_without_a_file(command):
    code, _, err = command()
    assert code == 2
    assert "the following arguments are required: --out" in err


def test_a_title_is_text(command, tmp_path):
    options = ["--dataset", "cifar10", "--metrics", "params", "flops", "--out", tmp_path / "page.html"]
    assert command(*options, "--title", "A <b>title</b>")[0] == 0
    assert "<h1>A &lt;b&gt;title&lt;/b&gt;</h1>" in (tmp_path / "page.html").read_text()
