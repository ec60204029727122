from nasbench.metrics import METRICS
from nasbench.text import format_entry, format_hidden

ENTRY = {
    "cifar10": {"val_accuracy": 91.5, "params": 1.25, "raspi4_latency": 8.0},
    "cifar100": {"params": 1.5},
}
SHOWN = """\
Recorded for this cell (mean over seeds)
                         cifar10        cifar100
val_accuracy [%]            91.5               -
params [M]                  1.25             1.5
"""


def test_hardware_metrics_are_what_devices_measured():
    of_the_network = {
        name for name, metric in METRICS.items() if metric.of_the_network and not metric.is_proxy
    }
    assert {name for name in METRICS if METRICS[name].hardware} == of_the_network - {
        "latency",
        "params",
        "flops",
    }


def test_an_entry_says_how_hardware_metrics_are_shown():
    assert format_entry(ENTRY) == f"{SHOWN}1 hardware metric not shown; use --all to show them"
    entry = {"cifar10": {"fpga_energy": 1.0, "pixel3_latency": 2.0}}
    text = format_entry(entry, how="query --all")
    assert text.endswith(")\n2 hardware metrics not shown; use query --all to show them")
    assert format_hidden([]) == ""


def test_an_entry_with_all_metrics():
    *rows, last = format_entry(ENTRY, all=True).splitlines()
    assert [row.split() for row in rows] == [row.split() for row in SHOWN.splitlines()]
    assert last.split() == ["raspi4_latency", "[ms]", "8", "-"]


def test_an_entry_without_hardware_metrics_or_without_any():
    assert "hardware" not in format_entry({name: {"params": v["params"]} for name, v in ENTRY.items()})
    assert format_entry({}) == ""
