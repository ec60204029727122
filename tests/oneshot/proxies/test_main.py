import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from nasbench import NB201
from nasbench.build import build
from oneshot.errors import ProxyError
from oneshot.proxies.__main__ import main
from oneshot.proxies.batch import Batch
from oneshot.proxies.registry import get_proxy
from oneshot.proxies.scorer import Scorer
from oneshot.proxies.settings import ProxySettings
from oneshot.spaces.architectures import Architecture
from tests import stores

SMALL = ["--batch", "8", "--channels", "2", "--depth", "1", "--images", "digits", "--seeds", "2"]


def run(*args):
    return main([*SMALL, *map(str, args)])


@pytest.fixture
def lines(tmp_path):
    """Return a function that writes lines to a file and returns its path."""

    def write(*texts, name="cells.txt"):
        path = tmp_path / name
        path.write_text("".join(f"{text}\n" for text in texts))
        return path

    return write


def test_run_writes_a_table_that_a_store_is_built_from(tmp_path, capsys):
    out = tmp_path / "run"
    assert run("--cells", 12, "--proxy", "synflow,jacov,params", "--out", out) == 0
    text = capsys.readouterr().out
    assert "12 networks, 2 seeds" in text
    assert "rank correlations with val_accuracy, 12 cells" in text
    assert (out / "scatter.png").stat().st_size
    header, first, *rows = (out / "proxies.csv").read_text().splitlines()
    assert header == "arch,cifar10:synflow:0,cifar10:synflow:1,cifar10:jacov:0,cifar10:jacov:1,cifar10:params"
    assert len(rows) == 11
    build([out / "proxies.csv"], tmp_path / "store.h5")
    bench = NB201(tmp_path / "store.h5")
    arch, synflow0, synflow1, jacov0, _, params = first.split(",")
    assert bench.query(arch, "cifar10", "synflow", seed=1) == float(synflow1)
    assert bench.query(arch, "cifar10", "synflow") == (float(synflow0) + float(synflow1)) / 2
    assert bench.query(arch, "cifar10", "jacov", seed=0) == float(jacov0) < 0
    assert bench.query(arch, "cifar10", "params") == float(params)
    assert bench.seeds(arch, "cifar10", "synflow") == (0, 1)


def test_stores_that_lack_what_an_evaluation_shows(tmp_path, capsys):
    args = "--cells", 12, "--proxy", "params", "--images", "none"
    accuracies = stores.from_csv(tmp_path / "a.h5", ["cifar10:200:val_accuracy"])
    assert run(*args, "--store", accuracies, "--out", tmp_path / "a") == 0
    assert "rank correlations with val_accuracy, 12 cells" in capsys.readouterr().out
    assert run(*args, "--store", accuracies, "--dataset", "cifar100", "--out", tmp_path / "b") == 0
    assert "no scatter.png: cifar100 has no protocol of 200 epochs" in capsys.readouterr().err
    sizes = stores.from_csv(tmp_path / "b.h5", ["cifar10:flops"])
    assert run(*args, "--store", sizes, "--out", tmp_path / "c") == 0
    out = capsys.readouterr().out
    assert "no correlations with accuracies: they need scores and accuracies of 10 cells or more" in out
    for name, evaluated in (("a", True), ("b", True), ("c", False)):
        summary = json.loads((tmp_path / name / "summary.json").read_text())
        assert (summary["complete"], summary["evaluation"] is not None) == (True, evaluated)


def test_a_missing_store_is_an_error_before_scores_are_computed(tmp_path, capsys):
    assert "no store at " in error_of(capsys, "--store", tmp_path / "a.h5", "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_run_that_was_killed_ends_with_the_same_table(tmp_path, monkeypatch, capsys):
    args = "--cells", 5, "--proxy", "nwot,az_nas"
    assert run(*args, "--out", tmp_path / "whole") == 0
    assert run(*args, "--out", tmp_path / "killed") == 0
    log = (tmp_path / "killed" / "log.csv").read_bytes()
    lines = log.splitlines(keepends=True)
    (tmp_path / "killed" / "proxies.csv").unlink()
    (tmp_path / "killed" / "log.csv").write_bytes(b"".join(lines[:6]) + lines[6][:9])  # 2.5 cells
    assert main(["--resume", str(tmp_path / "killed"), "--workers", "2"]) == 0
    for name in ("log.csv", "proxies.csv", "summary.json"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_interrupted_run_says_how_to_resume(tmp_path, monkeypatch, capsys):
    import oneshot.proxies.session as session

    progress = session.Progress

    class Impatient(progress):
        def advance(self, count=1):
            super().advance(count)
            return True

    monkeypatch.setattr(session, "Progress", Impatient)
    assert run("--cells", 3, "--proxy", "l2_norm", "--out", tmp_path / "run") == 130
    assert "after 1 network; continue with: python -m oneshot.proxies --resume" in capsys.readouterr().err
    monkeypatch.setattr(session, "Progress", progress)
    assert main(["--resume", str(tmp_path / "run")]) == 0


@pytest.mark.parametrize("published", ["DARTS_V2", "LIU2018"])
def test_architectures_of_other_spaces_are_scored(published, tmp_path, lines):
    depth = "3" if published == "DARTS_V2" else "1"
    path = lines("# one", published)
    out = tmp_path / "run"
    assert run("--cells", path, "--depth", depth, "--proxy", "synflow,nwot,grasp,zen", "--out", out) == 0
    row = (out / "proxies.csv").read_text().splitlines()[1]
    assert row.startswith(('"Genotype', '"Hierarchy'))


def test_scores_of_a_seed_do_not_change():
    """Scores equal those of earlier releases, which tables and resumed runs contain."""
    settings = ProxySettings(seeds=1, channels=4, depth=1)
    state = torch.get_rng_state()
    (scores,) = Scorer(settings, [Batch.random(16, 10, 16, 0)]).score(Architecture.parse("6111"))
    assert scores == pytest.approx(
        {
            "az_expressivity": 11.579016,
            "az_progressivity": -0.06990441,
            "az_trainability": -0.27488449,
            "epe_nas": 49.808008,
            "fisher": 0.074600690,
            "flops": 0.597162,
            "grad_norm": 8.3589207,
            "grasp": 0.90792346,
            "jacov": -16.440984,
            "l2_norm": 40.147655,
            "meco": 5.2457762,
            "nwot": 140.34718,
            "params": 0.017606,
            "plain": 0.025364398,
            "snip": 9.1646413,
            "swap": 7104,
            "synflow": 22.827415,
            "zen": 20.648321,
        },
        rel=1e-4,
    )
    assert torch.equal(state, torch.get_rng_state())


def test_own_proxy_and_scores_that_are_nan(tmp_path, monkeypatch, capsys):
    (tmp_path / "mine.py").write_text(
        "def score(network, batch):\n    return float('nan') if batch.seed else len(batch.images)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert run("--cells", 2, "--proxy", "mine:score,params", "--out", tmp_path / "run") == 0
    assert "left empty in the table: mine:score 2" in capsys.readouterr().out
    header, *rows = (tmp_path / "run" / "proxies.csv").read_text().splitlines()
    assert header == "arch,mine.score 0,mine.score 1,cifar10:params"
    assert [row.split(",")[-3:-1] for row in rows] == [["8.0", ""]] * 2


def test_missing_images_are_replaced_by_the_digits(tmp_path, capsys):
    args = ["--batch", "8", "--channels", "2", "--depth", "1", "--seeds", "1", "--cells", "1"]
    args += ["--proxy", "nwot", "--folder", str(tmp_path), "--out", str(tmp_path / "run")]
    assert main(args) == 0
    assert "scores use enlarged images of digits" in capsys.readouterr().err


def error_of(capsys, *args):
    assert run(*args) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--proxy", "sinflow"], "unknown proxy 'sinflow'; try synflow"),
        (["--proxy", "swap,swap"], "proxy must be distinct names"),
        (["--proxy", "nowhere:score"], "cannot load the proxy 'nowhere:score'"),
        (["--proxy", "math:pi"], "must be a function"),
        (["--cells", "0"], "cells must be 1 to 15,625"),
        (["--cells", "nofile"], "there is no file"),
        (["--proxy", "snip", "--images", "none", "--cells", "1"], "snip needs images with labels"),
        (["--dataset", "digits"], "argument --dataset"),
    ],
)
def test_wrong_option_is_one_line(args, message, tmp_path, capsys):
    if "--dataset" in args:
        with pytest.raises(SystemExit):
            run(*args, "--out", tmp_path / "run")
        assert message in capsys.readouterr().err
        return
    assert message in error_of(capsys, *args, "--out", tmp_path / "run")


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["0", "nonsense"], "line 2: 'nonsense' is not an architecture"),
        (["0", "DARTS_V2"], "line 2: the architecture belongs to the space darts, not nb201"),
        (["0", "", "0"], "line 3 is the same as line 1"),
        (["# nothing"], "has no architectures"),
    ],
)
def test_wrong_file_names_the_line(texts, message, tmp_path, lines, capsys):
    assert message in error_of(capsys, "--cells", lines(*texts), "--out", tmp_path / "run")


def test_file_that_changed_is_noticed_on_resume(tmp_path, lines, capsys):
    assert run("--cells", lines("0"), "--proxy", "params", "--out", tmp_path / "run") == 0
    lines("1")
    assert main(["--resume", str(tmp_path / "run")]) == 2
    assert "have changed since" in capsys.readouterr().err


def test_images_are_not_needed_by_those_that_see_none(tmp_path):
    proxies = "synflow,zen,l2_norm,params,flops,meco"
    args = "--cells", 1, "--proxy", proxies, "--images", "none", "--out", tmp_path / "run"
    assert run(*args) == 0


def test_batch_of_one_class_has_nothing_to_compare():
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 10))
    batch = Batch(torch.randn(4, 3, 2, 2), torch.ones(4, dtype=torch.long), 10)
    with pytest.raises(ProxyError, match="needs two classes or more; all 4 images have class 1"):
        get_proxy("epe_nas")(network, batch)


def test_network_without_global_pool_has_no_zen_score():
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 10))
    batch = Batch(torch.randn(4, 3, 2, 2), torch.ones(4, dtype=torch.long), 10)
    with pytest.raises(ProxyError, match="input of a global average pool"):
        get_proxy("zen")(network, batch)


def test_proxy_must_return_a_number(tmp_path, monkeypatch, capsys):
    (tmp_path / "texts.py").write_text("def score(network, batch):\n    return 'high'\n")
    monkeypatch.syspath_prepend(tmp_path)
    error = error_of(capsys, "--cells", 1, "--proxy", "texts:score", "--out", tmp_path / "run")
    assert "must return a number, got 'high'" in error


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--images", "none"], "needs images with labels"),
        (["--images", "bogus"], "bogus"),
        (["--images", "digits", "--batch", "100000"], "batch"),
    ],
)
def test_a_refused_run_leaves_no_folder(tmp_path, args, message, capsys):
    out = tmp_path / "run"
    assert message in error_of(capsys, "--cells", 2, "--proxy", "snip", *args, "--out", out)
    assert not out.exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [("raise RuntimeError('no')", "RuntimeError: no"), ("def score(", "SyntaxError")],
)
def test_modules_that_cannot_be_imported(tmp_path, monkeypatch, capsys, text, message):
    (tmp_path / "broken.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    error = error_of(capsys, "--cells", 1, "--proxy", "broken:score", "--out", tmp_path / "run")
    assert f"cannot load the proxy 'broken:score': {message}" in error


def test_a_custom_proxy_changes_no_other_scores(tmp_path, monkeypatch):
    (tmp_path / "rude.py").write_text(
        "import torch\n\n"
        "def score(network, batch):\n"
        "    batch.images.zero_(), batch.labels.zero_(), network.double().requires_grad_(False)\n"
        "    return torch.rand((), requires_grad=True)\n\n"
        "def huge(network, batch):\n    return 10**400\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    lines = []
    for names in ("jacov,snip", "jacov,snip,rude:score,rude:huge"):
        out = tmp_path / names.replace(":", "-")
        assert run("--cells", 3, "--proxy", names, "--out", out) == 0
        lines.append((out / "proxies.csv").read_text().splitlines()[1:])
    for alone, together in zip(*lines, strict=True):
        assert together.startswith(f"{alone},")
        random, huge = together.removeprefix(f"{alone},").split(",")[:2], together.split(",")[-2:]
        assert random == ["0.49625658988952637", "0.7576315999031067"]  # torch's first ones after each seed
        assert huge == ["", ""]


def test_rows_of_other_networks_are_noticed(tmp_path, capsys):
    out = tmp_path / "run"
    assert run("--cells", 5, "--proxy", "synflow", "--out", out) == 0
    log = (out / "log.csv").read_text().splitlines(keepends=True)
    for rows in ([*log[:3], *log[5:]], [*log, *log[1:3]]):
        (out / "log.csv").write_text("".join(rows))
        capsys.readouterr()
        assert main(["--resume", str(out)]) == 2
        assert "log.csv is damaged: row " in capsys.readouterr().err


def _start(*args):
    command = [sys.executable, "-m", "oneshot.proxies", *SMALL, *map(str, args)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)


def _wait_for_scores(process, out):
    while not (out / "log.csv").exists() or len((out / "log.csv").read_bytes().splitlines()) < 5:
        assert process.poll() is None
        time.sleep(0.05)


@pytest.mark.slow
def test_ctrl_c_reaches_no_worker(tmp_path):
    out = tmp_path / "run"
    process = _start("--cells", 500, "--proxy", "synflow", "--workers", 2, "--out", out)
    _wait_for_scores(process, out)
    os.killpg(process.pid, signal.SIGINT)
    error = process.communicate(timeout=120)[1]
    done = (len((out / "log.csv").read_bytes().splitlines()) - 1) // 2
    assert process.returncode == 130
    assert "Traceback" not in error
    assert f"interrupted after {done} networks; continue with:" in error


@pytest.mark.slow
def test_a_lost_worker_is_one_line(tmp_path):
    out = tmp_path / "run"
    process = _start("--cells", 500, "--proxy", "synflow", "--workers", 2, "--out", out)
    _wait_for_scores(process, out)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    commands = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children}
    worker = next(pid for pid, command in commands.items() if b"spawn_main" in command)
    os.kill(int(worker), signal.SIGKILL)
    error = process.communicate(timeout=120)[1]
    assert process.returncode == 2
    assert "Traceback" not in error
    assert "a worker process ended unexpectedly" in error
