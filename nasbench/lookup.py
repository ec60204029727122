"""Commands that look up a table: query, curve, top, info."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from nasbench.answers import list_seeds
from nasbench.benchmark import NB201, Benchmark, open_benchmark
from nasbench.cell import Cell
from nasbench.coded import CodedCell
from nasbench.constraints import AT_LEAST, AT_MOST, joined, read_limits
from nasbench.errors import InvalidCellError, NotRecordedError
from nasbench.metrics import DATASETS, METRICS, describe_metric, exists, get_dataset, get_metric
from nasbench.runs.command import Subcommand
from nasbench.runs.files import to_json
from nasbench.runs.text import format_table, join_blocks
from nasbench.size import SizeCell
from nasbench.spaces import add_space_flag
from nasbench.store import ORIGINS
from nasbench.text import format_hidden

# Flags


def _add_cell(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "cell",
        metavar="CELL",
        help="official index, quoted arch string, or five widths such as 8:8:8:16:32",
    )


def _add_dataset_and_metric(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dataset", metavar="NAME", default="cifar10", help="data set (default: cifar10)")
    parser.add_argument(
        "--metric", metavar="NAME", default="val_accuracy", help="metric (default: val_accuracy)"
    )


def _add_question(parser: argparse.ArgumentParser, epoch: bool = True) -> None:
    parser.add_argument(
        "--protocol",
        type=int,
        metavar="EPOCHS",
        help="epochs of the training protocol (default: the longest, as in papers)",
    )
    if epoch:
        parser.add_argument(
            "--epoch", type=int, metavar="N", help="epoch, counted from 0 (default: the last)"
        )
    parser.add_argument("--seed", type=int, metavar="N", help="recorded seed (default: mean over all seeds)")
    _add_store_and_json(parser)


def _add_store_and_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--store", metavar="FILE", help="store written by `build` (default: the default table)"
    )
    add_space_flag(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


# Query


def _add_query(parser: argparse.ArgumentParser) -> None:
    _add_cell(parser)
    parser.add_argument("--dataset", metavar="NAME", help=f"data set: {', '.join(DATASETS)} (default: all)")
    parser.add_argument("--metric", metavar="NAME", help="metric listed by `info` (default: all)")
    parser.add_argument("--all", action="store_true", help="also print metrics of hardware devices")
    _add_question(parser)


def _query(args: argparse.Namespace) -> str:
    bench = open_benchmark(args.store, args.space)
    cell = _cell(bench, args.cell)
    options = {"protocol": _protocol(args, bench), "epoch": args.epoch, "seed": args.seed}
    rows = []
    unanswered = None  # the first error, raised if nothing is recorded
    asked = _asked(bench, cell, args)
    everything = args.all or args.metric or args.json
    shown = [(name, metric) for name, metric in asked if everything or not METRICS[metric].hardware] or asked
    for dataset, metric in shown:
        try:
            value = bench.query(cell, dataset, metric, **options)
        except NotRecordedError as error:
            unanswered = unanswered or error
            continue
        rank = bench.rank(cell, dataset, metric, **options)
        rows.append((dataset, metric, value, METRICS[metric].unit, rank))
    others = _other_protocols(bench, args)
    if not rows:
        nothing = f"the store has no values for cell {args.cell} after {options['protocol']} epochs"
        raise unanswered or NotRecordedError(f"{nothing}; {others}" if others else nothing)
    header = ("dataset", "metric", "value", "unit", "rank")
    if args.json:
        results = [dict(zip(header, row, strict=True)) for row in rows]
        return to_json({**_names(cell, bench), **options, "results": results})
    hidden = format_hidden({metric for _, metric in asked} - {metric for _, metric in shown})
    table = "\n".join(filter(None, (format_table(header, rows), hidden)))
    return join_blocks(_names_text(cell, bench), table, others)


def _other_protocols(bench: Benchmark, args: argparse.Namespace) -> str:
    """Return a line on the protocols of a store that lacks the longest one; empty if it has it."""
    protocols = bench.protocols(args.dataset)
    if args.protocol is not None or not protocols or bench.space.full_protocol in protocols:
        return ""
    metrics: dict[int, dict[str, None]] = {}
    for recorded in bench.recorded():
        if recorded.protocol is not None and args.dataset in (None, recorded.dataset):
            metrics.setdefault(recorded.protocol, {})[recorded.metric] = None
    return "recorded with " + "; ".join(
        f"--protocol {protocol}: {', '.join(names)}" for protocol, names in sorted(metrics.items())
    )


def _protocol(args: argparse.Namespace, bench: Benchmark) -> int:
    asked: int | None = args.protocol
    return bench.space.full_protocol if asked is None else asked


def _asked(bench: Benchmark, cell: CodedCell, args: argparse.Namespace) -> list[tuple[str, str]]:
    """Return the (data set, metric) pairs of a query; by default all data sets and metrics."""
    if args.dataset is not None:
        get_dataset(args.dataset)
    datasets = DATASETS if args.dataset is None else [args.dataset]
    if args.metric is not None:
        metric = get_metric(args.metric)
        return [(name, args.metric) for name in datasets if args.dataset is not None or exists(name, metric)]
    entry = bench.entry(cell, protocol=args.protocol)
    one_run = args.epoch is not None or args.seed is not None
    return [
        (name, metric)
        for name in datasets
        for metric in entry.get(name, ())
        if not (one_run and METRICS[metric].of_the_network)
    ]


# Curve


def _add_curve(parser: argparse.ArgumentParser) -> None:
    _add_cell(parser)
    _add_dataset_and_metric(parser)
    _add_question(parser, epoch=False)


def _curve(args: argparse.Namespace) -> str:
    bench = open_benchmark(args.store, args.space)
    cell = _cell(bench, args.cell)
    options = {"protocol": _protocol(args, bench), "seed": args.seed}
    values = bench.curve(cell, args.dataset, args.metric, **options).tolist()
    if args.json:
        asked = {"dataset": args.dataset, "metric": args.metric, **options}
        values = [value if value == value else None for value in values]  # JSON has no NaN
        return to_json({**_names(cell, bench), **asked, "values": values})
    header = ("epoch", f"{args.metric} [{METRICS[args.metric].unit}]")
    return join_blocks(_names_text(cell, bench), format_table(header, list(enumerate(values))))


# Top


def _add_top(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "n", metavar="N", nargs="?", type=int, default=10, help="number of cells, at least 1 (default: 10)"
    )
    _add_dataset_and_metric(parser)
    for flag, bound in ((AT_MOST, "upper"), (AT_LEAST, "lower")):
        parser.add_argument(
            flag,
            metavar="METRIC=VALUE",
            action="append",
            default=[],
            help=f"{bound} limit on a metric, in its unit, such as raspi4_latency=10; can be repeated",
        )
    _add_question(parser)


def _top(args: argparse.Namespace) -> str:
    bench = open_benchmark(args.store, args.space)
    options = {"protocol": _protocol(args, bench), "epoch": args.epoch, "seed": args.seed}
    longest = bench.space.full_protocol
    limits = (read_limits(AT_MOST, args.at_most, longest), read_limits(AT_LEAST, args.at_least, longest))
    where = joined(*limits)
    best = bench.top(args.n, args.dataset, args.metric, **options, where=where)
    rows = [(entry.rank, entry.index, entry.value, str(entry.cell)) for entry in best]
    if args.json:
        cells = [dict(zip(("rank", "index", "value", "arch"), row, strict=True)) for row in rows]
        given = {"at_most": limits[0], "at_least": limits[1]} if where else {}
        return to_json({"dataset": args.dataset, "metric": args.metric, **options, **given, "cells": cells})
    unit = METRICS[args.metric].unit
    return format_table(("rank", "index", f"{args.dataset} {args.metric} [{unit}]", "cell"), rows)


# Info


def _add_info(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--verify", action="store_true", help="verify the store against its recorded checksum"
    )
    _add_store_and_json(parser)


def _info(args: argparse.Namespace) -> str:
    bench = open_benchmark(args.store, args.space)
    if args.verify:
        bench.verify()
    sources: dict[str, str] = {}  # by array
    for source, arrays in sorted(bench.store.origins().items()):
        for array in arrays:
            sources[array] = f"{sources[array]} + {source}" if array in sources else source
    write = _info_json if args.json else _info_text
    return write(bench, sources, args.verify)


def _info_json(bench: Benchmark, sources: Mapping[str, str], verified: bool) -> str:
    rows = [
        recorded._asdict()
        | {
            "epochs": recorded.epochs and [recorded.epochs.start, recorded.epochs.stop - 1],
            "source": sources[recorded.array],
        }
        for recorded in bench.recorded()
    ]
    store = {"path": str(bench.store.path), **bench.store.attributes, "verified": verified}
    names = ("metric", "dataset", "meaning", "defined_by")
    meanings = [dict(zip(names, row, strict=True)) for row in _meanings()]
    return to_json({"store": store, "recorded": rows, "meanings": meanings})


def _info_text(bench: Benchmark, sources: Mapping[str, str], verified: bool) -> str:
    attributes = [(name, text) for name, text in bench.store.attributes.items() if name != ORIGINS]
    state = "yes: data and provenance match the checksum" if verified else "no (use --verify)"
    metrics: dict[tuple[Any, ...], list[str]] = {}  # by the other columns
    for recorded in bench.recorded():
        seeds = "-" if recorded.seeds is None else list_seeds(recorded.seeds)
        source, epochs = sources[recorded.array], _span(recorded.epochs)
        where = recorded.dataset, recorded.protocol or "-", epochs, seeds, source
        metrics.setdefault(where, []).append(recorded.metric)
    rows = [(*where, ", ".join(names)) for where, names in metrics.items()]
    return join_blocks(
        f"{format_table(('store', str(bench.store.path)), attributes)}\nverified  {state}",
        format_table(("recorded", "protocol", "epochs", "seeds", "from", "metrics"), rows),
        format_table(("metric", "dataset", "meaning", "defined by"), _meanings()),
    )


def _meanings() -> list[tuple[str, str, str, str]]:
    """Return rows of metric, data set, meaning and source for all metrics."""
    return [
        (name, dataset if metric.split else "all", describe_metric(dataset, metric), metric.source)
        for name, metric in METRICS.items()
        for dataset in (DATASETS if metric.split else list(DATASETS)[:1])
        if exists(dataset, metric)
    ]


def _span(epochs: range | None) -> str | int:
    return "-" if epochs is None else f"{epochs.start}-{epochs.stop - 1}" if len(epochs) > 1 else epochs.start


# Notations of a cell


def _cell(bench: Benchmark, text: str) -> CodedCell:
    try:
        return bench.cell(int(text))
    except ValueError as error:  # not a number, or not an index
        if isinstance(error, InvalidCellError):
            raise
        return bench.cell(text)


def _names(cell: CodedCell, bench: Benchmark) -> dict[str, Any]:
    """Return all notations of a cell, for JSON."""
    names = {"arch": str(cell), "index": bench.index(cell), "code": cell.code}
    if isinstance(cell, SizeCell):
        return names | {"widths": list(cell.widths)}
    if isinstance(cell, Cell):
        names["naslib"] = list(cell.naslib)
    if isinstance(bench, NB201):
        classes = bench.isomorphism_classes()
        number = int(classes[cell.code])
        names |= {"isomorphism_class": number, "isomorphic_cells": int((classes == number).sum())}
    return names


def _names_text(cell: CodedCell, bench: Benchmark) -> str:
    names = _names(cell, bench)
    if isinstance(cell, SizeCell):
        return f"{names['arch']}\nindex {names['index']}"
    return (
        f"{names['arch']}\nindex {names['index']}, code {names['code']}, NASLib {tuple(names['naslib'])},"
        f" isomorphism class {names['isomorphism_class']} (cells in it: {names['isomorphic_cells']})"
    )


QUERY = Subcommand(_add_query, _query, "look up the metrics of a cell", "Look up the metrics of a cell.")
CURVE = Subcommand(
    _add_curve, _curve, "look up a learning curve", "Look up a metric of a cell at every epoch."
)
TOP = Subcommand(_add_top, _top, "list the best cells", "List the best cells of the whole space.")
INFO = Subcommand(
    _add_info,
    _info,
    "describe the table and its metrics",
    "Describe the source of the table, its contents, and the meaning of each metric.",
)
