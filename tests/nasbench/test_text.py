from nasbench.metrics import METRICS
from nasbench.text import print_entry

ENTRY = {
    "cifar10": {"val_accuracy": 91.5, "params": 1.25, "raspi4_latency": 8.0},
    "cifar100": {"params": 1.5},
}
SHOWN = """
Recorded for this cell (mean over seeds)
                         cifar10        cifar100
val_accuracy [%]            91.5               -
params [M]                  1.25             1.5
"""


def test_hardware_metrics_are_what_devices_measured():
    of_the_network = {name for name, metric in METRICS.items() if metric.of_the_network}
    assert {name for name in METRICS if METRICS[name].hardware} == of_the_network - {
        "latency",
        "params",
        "flops",
    }


def test_an_entry_says_how_hardware_metrics_are_shown(capsys):
    print_entry(ENTRY)
    assert capsys.readouterr().out == f"{SHOWN}1 hardware metric not shown; --all shows them\n"
    print_entry({"cifar10": {"fpga_energy": 1.0, "pixel3_latency": 2.0}}, how="query --all")
    assert capsys.readouterr().out.endswith(")\n2 hardware metrics not shown; query --all shows them\n")


def test_an_entry_with_all_metrics(capsys):
    print_entry(ENTRY, all=True)
    *rows, last = capsys.readouterr().out.splitlines()
    assert [row.split() for row in rows] == [row.split() for row in SHOWN.splitlines()]
    assert last.split() == ["raspi4_latency", "[ms]", "8", "-"]


def test_an_entry_without_hardware_metrics_or_without_any(capsys):
    print_entry({name: {"params": values["params"]} for name, values in ENTRY.items()})
    assert "hardware" not in capsys.readouterr().out
    print_entry({})
    assert capsys.readouterr().out == ""
