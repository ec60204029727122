"""The checks of a GPU, on the CPU at the smallest sizes, and their errors."""

import json

import pytest
import torch

from benchmarks.gpu import agreement, record, speed, training
from benchmarks.gpu.__main__ import main
from benchmarks.gpu.meter import CpuMeter, get_meter
from benchmarks.gpu.record import Check, Row, judged, report, run_checks
from benchmarks.gpu.sizes import TINY
from benchmarks.operations import Operations
from oneshot.errors import ConfigError
from tests.running import runner

CHECKS = [*agreement.checks(TINY), *training.checks(TINY, None), *speed.checks(TINY)]


@pytest.fixture
def gpu(capsys):
    return runner(main, capsys)


@pytest.fixture
def meter():
    return get_meter("cpu")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # torch's compiler
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_every_check_passes_on_the_cpu(check, meter):
    rows = list(check.measure(meter))
    assert rows
    for row in rows:
        assert row.verdict == ("skipped" if check.part == "protocol" else "ok"), row


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # torch's compiler
def test_a_check_of_each_kind_passes_on_the_cpu(meter):
    by_name = {check.name: check for check in CHECKS}
    for name in ("memory after a search", "plan against interpret, float64", "--compile against the plan"):
        assert {row.verdict for row in by_name[name].measure(meter)} == {"ok"}, name


def test_verdicts():
    assert judged("equal", 1e-10, 1e-9).verdict == "ok"
    assert judged("different", 2e-9, 1e-9) == Row(
        "different", "FAILED", {"difference": "2e-09", "tolerance": "1e-09"}, "differs by 2e-09"
    )
    assert judged("broken", float("nan"), 1e-9).verdict == "FAILED"


def test_differences_are_relative_to_the_largest_number():
    expected = {"a": torch.tensor([1e3, 0.0]), "b": torch.zeros(2)}
    assert agreement.difference(expected, expected) == 0
    found = {"a": torch.tensor([1e3, 1.0]), "b": torch.zeros(2)}
    assert agreement.difference(found, expected) == pytest.approx(1e-3)
    assert agreement.difference(expected | {"a": torch.full((2,), torch.nan)}, expected) != 0


def test_random_numbers_are_sampled_on_the_cpu_for_other_devices():
    with agreement.SampledOnCpu():
        torch.manual_seed(0)
        first = torch.empty(3).exponential_()
        torch.manual_seed(0)
        with pytest.raises(NotImplementedError, match="Cannot copy out of meta"):  # to be sampled on the CPU
            torch.empty(3, device="meta").exponential_()
    torch.manual_seed(0)
    assert torch.equal(first, torch.empty(3).exponential_())


def test_operations_that_wait_are_recorded():
    with Operations() as seen:
        x = torch.ones(2, 3).relu()
        assert x.sum().item() == 6
        x.nonzero()
    assert [operation.name for operation in seen.work] == [
        "ones",
        "relu",
        "sum",
        "_local_scalar_dense",
        "nonzero",
    ]
    assert seen.waits == ["_local_scalar_dense", "nonzero"]
    assert seen.work[1].shapes == ((2, 3), (2, 3))
    with Operations("meta", 2) as seen:
        assert torch.ones(3, device="meta").sum().tolist() == 2
        torch.zeros(2).to("meta")
    assert len(seen.waits) == 2


def test_results_are_kept_and_only_missing_checks_run(tmp_path, meter):
    out, calls = tmp_path / "gpu.json", []

    def check(name, fails=False):
        def measure(_):
            calls.append(name)
            if fails:
                raise torch.OutOfMemoryError("CUDA out of memory")
            yield Row(name, "ok", {"ms": 1.5})

        return Check("part", name, measure)

    def run(*checks, seconds=60.0, conditions=None):
        return run_checks(checks, meter, out, conditions or {"GPU": "a"}, seconds, lambda name: None)

    first = run(check("one"), check("two", fails=True))
    assert first["part, two"][0] == Row(
        "two", "FAILED", reason="out of memory; other processes may use the device"
    )
    assert run(check("one"), check("two")) == {
        "part, one": [Row("one", "ok", {"ms": 1.5})],
        "part, two": [Row("two", "ok", {"ms": 1.5})],
    }
    assert calls == ["one", "two", "two"]
    late = run(check("three"), seconds=-1.0)
    assert late["part, three"][0].verdict == "skipped"
    assert "repeat the command" in late["part, three"][0].reason
    with pytest.raises(ConfigError, match=r"was measured under other conditions \(GPU: a, now b\)"):
        run(check("one"), conditions={"GPU": "b"})
    for text in ("[]", "{", '{"conditions": {}, "checks": []}', '{"conditions": null, "checks": {}}'):
        out.write_text(text)
        with pytest.raises(ConfigError, match="cannot read"):
            run(check("one"))
    out = tmp_path / "nowhere" / "gpu.json"
    with pytest.raises(ConfigError, match="cannot write .*: No such file or directory"):
        run(check("one"))
    assert calls == ["one", "two", "two"]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--images", "nowhere"], "--images must be a folder, got nowhere"),
        (["--minutes", "nan"], "--minutes must be a positive finite number, got nan"),
    ],
)
def test_wrong_options_are_errors_before_anything_is_measured(argv, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["--device", "cpu", "--tiny", *argv])
    assert message in capsys.readouterr().err


def test_other_images_in_a_folder_of_the_same_name_are_another_check(tmp_path):
    names = []
    for parent, text in (("a", "x"), ("b", "xy")):
        image = tmp_path / parent / "images" / "train" / "1.png"
        image.parent.mkdir(parents=True)
        image.write_text(text)
        names.append({check.name for check in training.checks(TINY, str(image.parents[1]))})
    assert len(names[0] & names[1]) == 1  # exact resume, which uses no images


def test_the_report_has_a_table_per_check_and_the_counts():
    rows = [Row("plan", "ok", {"ms": 1.5}), Row("bf16", "skipped", reason="an old card")]
    assert report({"speed, nb201": rows}).splitlines() == [
        "speed, nb201",
        "      ms   verdict",
        "plan  1.5  ok",
        "bf16       skipped  an old card",
        "",
        "1 ok, 0 FAILED, 1 skipped",
    ]


def test_a_batch_that_does_not_fit_names_one_that_does(monkeypatch, meter):
    def of_batch(batch):
        def step():
            if batch > 3:
                raise torch.OutOfMemoryError("CUDA out of memory")

        return step

    monkeypatch.setattr(speed, "build_step", lambda *arguments: of_batch)
    sizes, _ = TINY.timed["nb201"]
    rows = {"plan": speed.ROWS["plan"]}
    (row,) = speed._timed("nb201", "darts", sizes, 8, rows, False, 8, meter)
    assert (row.verdict, row.reason) == ("FAILED", "out of memory for batch 8; batch 2 fits")
    (row,) = speed._timed("nb201", "darts", sizes, 8, rows, True, 8, meter)
    assert (row.verdict, row.values["batch"]) == ("ok", 2)


def test_rows_in_bfloat16_are_skipped_on_an_old_card(monkeypatch, meter):
    monkeypatch.setattr(CpuMeter, "without_bf16", "an old card")
    assert [row.reason for row in agreement._amp(TINY, meter)] == ["an old card"]
    sizes, batch = TINY.timed["nb201"]
    rows = {"plan, bf16": speed.ROWS["plan, bf16"]}
    (row,) = speed._timed("nb201", "darts", sizes, batch, rows, False, 8, meter)
    assert row == Row("plan, bf16", "skipped", reason="an old card")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_card(gpu):
    code, out, err = gpu()
    assert (code, out) == (2, "")
    assert err.startswith("python -m benchmarks.gpu: error: cuda is not available: ")
    assert len(err.splitlines()) == 1


def test_the_command_prints_conditions_and_verdicts(gpu, tmp_path):
    out = tmp_path / "gpu.json"
    code, text, err = gpu("--device", "cpu", "--tiny", "--part", "protocol", "--out", out)
    assert code == 0
    assert "GPU: none: CPU" in text
    assert text.splitlines()[-1] == "0 ok, 0 FAILED, 1 skipped"
    assert "protocol, random images" in err
    assert list(json.loads(out.read_text())["checks"]) == ["protocol, random images"]
    assert (
        record.Row(**json.loads(out.read_text())["checks"]["protocol, random images"][0]).verdict == "skipped"
    )
