"""What a search found: the cell's place in the benchmark, a summary, and the report for people."""

import math
from contextlib import suppress

from nasbench.errors import NotRecordedError
from nasbench.metrics import METRICS
from nasbench.spaces import TOPOLOGY
from nasbench.text import print_entry
from oneshot.search.table import open_nb201
from oneshot.training.words import counted, duration

_METRIC, _TEST = "val_accuracy", "test_accuracy"
_BENCHMARKS = (
    "cifar10",
    "cifar100",
    "imagenet16-120",
)  # the data sets that cells are scored on; others: the first
_IDLE = (
    "none",
    "skip_connect",
)  # operations without weights, which first-order methods are known to collapse to


class Scorer:
    """What the benchmark says of cells; `store`: the path of its table, or None for the default one.

    >>> Scorer("digits").row(6111)["rank"]
    1
    """

    def __init__(self, dataset, store=None, run=None):
        """`run`: the folder of the run that is scored again, for the errors of `open_nb201`."""
        self.bench = open_nb201(store, run)
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
        """Return a cell's columns of a log; None for those that the table does not record."""
        return {
            "arch": str(self.bench.cell(cell)),
            "index": self.bench.index(cell),
            "benchmark_val_accuracy": self._recorded(self.bench.query, cell, _METRIC),
            "benchmark_test_accuracy": self._recorded(self.bench.query, cell, _TEST),
            "rank": self._recorded(self.bench.rank, cell, _METRIC),
            "regret": self._recorded(self.bench.regret, cell, _METRIC),
        }

    def summary(self, cell):
        """Return everything that the table records for a cell, a dict for JSON."""
        optimum = self.optimum and {
            "arch": str(self.optimum.cell),
            "index": self.optimum.index,
            "value": self.optimum.value,
        }
        return {
            "dataset": self.dataset,
            "metric": _METRIC,
            **self.row(cell),
            "test_rank": self._recorded(self.bench.rank, cell, _TEST),
            "optimum": optimum,
            "entry": self.bench.entry(cell),
        }

    def _recorded(self, ask, cell, metric):
        """Return what a method of the table answers for a cell, None if the table does not record it."""
        with suppress(NotRecordedError):
            return ask(cell, self.dataset, metric)
        return None


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
    rows.insert(1, ("index", benchmark["index"]))
    rows += [
        ("" if k else "benchmark", line) for k, line in enumerate(_scores(benchmark, settings["dataset"]))
    ]
    if benchmark["optimum"] is not None:
        value, index = benchmark["optimum"]["value"], benchmark["optimum"]["index"]
        rows.append(("optimum", f"{value:.4f} {METRICS[_METRIC].unit}, index {index}"))
    _print_rows(rows)
    print_entry(benchmark["entry"], how=f"python -m nasbench query {benchmark['index']} --all")


def _scores(benchmark, dataset):
    """Yield lines on the table's scores of the cell found on a data set, and on those missing."""
    lacking = []
    for metric, rank, regret in ((_METRIC, "rank", "regret"), (_TEST, "test_rank", None)):
        value = benchmark[f"benchmark_{metric}"]
        if value is None:
            lacking.append(metric)
            continue
        line = f"{benchmark['dataset']} {metric} {value:.4f} {METRICS[metric].unit}, rank {benchmark[rank]:,}"
        yield line + (f", regret {benchmark[regret]:.4f}" if regret else "")
    if len(lacking) < 2 and dataset != benchmark["dataset"]:
        yield f"(its network trained on {benchmark['dataset']}, another data set than this)"
    if lacking:
        names = f"{benchmark['dataset']} {' or '.join(lacking)}"
        yield f"the table has no {names} for this cell after {TOPOLOGY.full_protocol} epochs"


def _print_rows(rows):
    for name, text in rows:
        print(f"{name:<15} {text}")
