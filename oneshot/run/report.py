"""What a search found: the cell's place in the benchmark, a summary, and the report for people."""

import math
from contextlib import suppress

from nasbench.benchmark import NB201
from nasbench.console import print_table
from nasbench.errors import NotRecordedError
from nasbench.metrics import METRICS
from oneshot.run.words import counted, duration

_METRIC = "val_accuracy"
_BENCHMARKS = (
    "cifar10",
    "cifar100",
    "imagenet16-120",
)  # the data sets that cells are scored on; others: the first
_IDLE = (
    "none",
    "skip_connect",
)  # operations without weights, which first-order methods are known to collapse to
_WIDTH = 14  # of a data set's column


class Scorer:
    """What the benchmark says of cells; `store`: the path of its table, or None for the default one.

    >>> Scorer("digits").row(6111)["rank"]
    1
    """

    def __init__(self, dataset, store=None):
        self.bench = NB201(store)
        self.dataset = dataset if dataset in _BENCHMARKS else _BENCHMARKS[0]
        self.optimum = None
        with suppress(NotRecordedError):
            self.optimum = self.bench.best(self.dataset, _METRIC)

    @property
    def table(self):
        """What tells the table from others, a dict."""
        attributes = self.bench.store.attributes
        return {name: attributes[name] for name in ("source", "source_version", "checksum")}

    def row(self, cell):
        """A cell's columns of a log; None where the table has nothing for it."""
        found = dict.fromkeys(("benchmark_val_accuracy", "benchmark_test_accuracy", "rank", "regret"))
        with suppress(NotRecordedError):
            found["benchmark_val_accuracy"] = self.bench.query(cell, self.dataset, _METRIC)
            found["rank"] = self.bench.rank(cell, self.dataset, _METRIC)
            found["regret"] = self.bench.regret(cell, self.dataset, _METRIC)
        with suppress(NotRecordedError):
            found["benchmark_test_accuracy"] = self.bench.query(cell, self.dataset, "test_accuracy")
        return {"arch": str(self.bench.cell(cell)), "index": self.bench.index(cell), **found}

    def summary(self, cell):
        """All that the table has for a cell, a dict for JSON."""
        optimum = self.optimum and {
            "arch": str(self.optimum.cell),
            "index": self.optimum.index,
            "value": self.optimum.value,
        }
        return {
            "dataset": self.dataset,
            "metric": _METRIC,
            **self.row(cell),
            "optimum": optimum,
            "entry": self.bench.entry(cell),
        }


def unscored(architecture):
    """The columns of a log of an architecture that no benchmark has."""
    return dict.fromkeys(("index", "benchmark_val_accuracy", "benchmark_test_accuracy", "rank", "regret")) | {
        "arch": str(architecture)
    }


def warning_of(operations):
    """A line about cells that mostly pass on or drop what comes, or learn nothing; None for others.

    `operations`: those at their edges. The rules: at least half of them are skip_connect or none, which
    first-order DARTS is known to end with (Zela et al. 2020, arXiv:1909.09656); none is a convolution.
    """
    idle = sum(op in _IDLE for op in operations)
    if 2 * idle >= len(operations):
        found = f"{idle} of the {len(operations)} edges found are skip_connect or none (at least half)"
    elif not any("conv" in op for op in operations):
        found = "none of the edges found is a convolution"
    else:
        return None
    return f"{found}: the search may have collapsed, as gradient searches do, first-order DARTS above all"


def _known(measured):
    return (
        None if measured is None else {k: None if math.isnan(v) else v for k, v in measured._asdict().items()}
    )


def summarize(
    name, settings, config, training, space, architecture, scorer, complete, mixed=None, alone=None
):
    """The findings of a search, a dict of plain values that depend on nothing but its settings.

    `space`: of which the `architecture` is; `scorer`: None for one without a benchmark; `mixed`, `alone`:
    what the supernet made of the validation half with mixed weights, and along the architecture's path alone,
    each a Measured or None.
    """
    return {
        "method": name,
        "settings": settings,
        "config": config,
        "complete": complete,
        "epochs": training.epoch,
        "steps": training.epoch * training.steps_an_epoch + training.batch,
        "supernet": {"mixed": _known(mixed), "path": _known(alone)},
        "architecture": {"space": space.name, "text": str(architecture), **space.json(architecture)},
        "benchmark": scorer and scorer.summary(architecture),
        "warning": warning_of(space.operations(architecture)),
    }


def print_summary(summary, images, seconds):
    """The findings as text; `images`: numbers of each half; `seconds`: that the epochs took."""
    settings, benchmark = summary["settings"], summary["benchmark"]
    done, whole = summary["epochs"], summary["config"]["epochs"]
    epochs = counted(whole, "epoch") if done == whole else f"{done:,} of {counted(whole, 'epoch')}"
    print(
        f"{summary['method']} on {settings['dataset']}, {settings['space']} with"
        f" {counted(settings['channels'], 'channel')} and {counted(settings['cells'], 'cell')}"
        f"{'' if settings['space'] == 'darts' else ' a stage'}"
    )
    print(
        f"{epochs}, {summary['steps']:,} steps, {images[0]:,} training and {images[1]:,} validation images;"
        f" seed {settings['seed']}; {duration(seconds)} of search\n"
    )
    rows = [("cell" if benchmark else "architecture", summary["architecture"]["text"])]
    for key, text in (("mixed", "supernet, mixed"), ("path", "its path alone")):
        found = summary["supernet"][key]
        if found is not None:
            rows.append(
                (text, f"{found['accuracy']:.2f} % of the validation images right, loss {found['loss']:.4f}")
            )
    if benchmark is None:
        _print_rows(rows)
        return
    unit = METRICS[_METRIC].unit
    rows.insert(1, ("index", benchmark["index"]))
    value = benchmark["benchmark_val_accuracy"]
    if value is not None:
        rows.append(
            (
                "benchmark",
                f"{benchmark['dataset']} {_METRIC} {value:.4f} {unit}, rank {benchmark['rank']:,}, regret"
                f" {benchmark['regret']:.4f}",
            )
        )
        if settings["dataset"] != benchmark["dataset"]:
            rows.append(("", f"(its network trained on {benchmark['dataset']}, another data set than this)"))
    if benchmark["optimum"] is not None:
        rows.append(
            ("optimum", f"{benchmark['optimum']['value']:.4f} {unit}, index {benchmark['optimum']['index']}")
        )
    _print_rows(rows)

    print("\nWhat the benchmark has for the cell (mean over seeds)")
    entry = benchmark["entry"]
    known = [name for name in METRICS if any(name in values for values in entry.values())]
    rows = [
        (f"{name} [{METRICS[name].unit}]", *(_shown(values.get(name)) for values in entry.values()))
        for name in known
    ]
    print_table(("", *(name.rjust(_WIDTH) for name in entry)), rows)


def _print_rows(rows):
    for name, text in rows:
        print(f"{name:<15} {text}")


def _shown(value):
    return ("-" if value is None else f"{value:.7g}").rjust(_WIDTH)
