from nasbench.metrics import METRICS
from nasbench.spaces import SIZE
from nasbench.text import is_hardware, print_entry

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
    assert {name for name in METRICS if is_hardware(name)} == of_the_network - {"latency", "params", "flops"}
    assert {"edgegpu_energy", "raspi4_latency"} < set(filter(is_hardware, METRICS))


def test_an_entry_names_the_command_for_hardware_metrics(capsys):
    print_entry(ENTRY, 6111)
    assert capsys.readouterr().out == f"{SHOWN}hardware metrics: python -m nasbench query 6111 --all\n"
    print_entry({"cifar10": {"fpga_energy": 1.0}}, 7, SIZE)
    assert capsys.readouterr().out.endswith(
        ")\nhardware metrics: python -m nasbench query 7 --space sss --all\n"
    )


def test_an_entry_with_all_metrics(capsys):
    print_entry(ENTRY, 6111, all=True)
    *rows, last = capsys.readouterr().out.splitlines()
    assert [row.split() for row in rows] == [row.split() for row in SHOWN.splitlines()]
    assert last.split() == ["raspi4_latency", "[ms]", "8", "-"]


def test_an_entry_without_hardware_metrics_or_without_any(capsys):
    print_entry({name: {"params": values["params"]} for name, values in ENTRY.items()}, 6111)
    assert "hardware" not in capsys.readouterr().out
    print_entry({}, 6111)
    assert capsys.readouterr().out == ""
