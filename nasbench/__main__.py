"""The lookup command: `python -m nasbench query | curve | top | info | build`."""

import os
import sys

from nasbench.answers import list_seeds
from nasbench.benchmark import open_benchmark
from nasbench.cell import Cell
from nasbench.errors import InvalidCellError, NASBenchError, NotRecordedError
from nasbench.metrics import DATASETS, METRICS, exists, get_dataset, get_metric, meaning_of
from nasbench.runs.command import ListFormatter, Parser, call, complain, print_json, print_table
from nasbench.spaces import SPACES
from nasbench.store import ORIGINS
from nasbench.text import print_hidden

_SOME = 10  # missing cells that a build names


def main(argv=None):
    """Run the command line `argv` and return the exit code."""
    argv = sys.argv[1:] if argv is None else argv
    parser = Parser(prog="python -m nasbench", description="Look things up in a published table of NAS.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, (run, add, short, description) in _COMMANDS.items():
        command = commands.add_parser(name, help=short, description=description)
        if name in argv:  # the flags of the others would only cost time
            add(command)
        command.set_defaults(run=run)
    args = parser.parse_args(argv)
    return call(lambda: args.run(args), parser.prog, NASBenchError)


def _add_query(parser):
    _add_cell(parser)
    parser.add_argument("--dataset", metavar="NAME", help=f"one of {', '.join(DATASETS)} (default: all)")
    parser.add_argument("--metric", metavar="NAME", help="a metric that `info` lists (default: all recorded)")
    parser.add_argument("--all", action="store_true", help="print the metrics of hardware devices, too")
    _add_question(parser)


def _add_curve(parser):
    _add_cell(parser)
    _add_dataset_and_metric(parser)
    _add_question(parser, epoch=False)


def _add_top(parser):
    parser.add_argument("n", metavar="N", nargs="?", type=int, default=10, help="how many (default: 10)")
    _add_dataset_and_metric(parser)
    from nasbench.constraints import AT_LEAST, AT_MOST  # imported here because no other command needs it

    for flag, what in ((AT_MOST, "upper"), (AT_LEAST, "lower")):
        parser.add_argument(
            flag,
            metavar="METRIC=VALUE",
            action="append",
            default=[],
            help=f"{what} limit on a metric, in its unit, such as raspi4_latency=10; repeat it for others",
        )
    _add_question(parser)


def _add_info(parser):
    parser.add_argument("--verify", action="store_true", help="compare all of it with its recorded checksum")
    _add_store_and_json(parser)


def _add_build(parser):
    from nasbench.build.sources.registry import KINDS  # here, as no lookup needs it

    parser.add_argument(
        "sources",
        nargs="*",
        metavar="SOURCE",
        help="files or folders, or `default` for the default table, which is built without any; earlier ones"
        " take precedence",
    )
    parser.add_argument(
        "--out",
        metavar="FILE",
        help="store to write (default: the default one, in $NASBENCH_HOME, unless that would lose data)",
    )
    parser.add_argument("--force", action="store_true", help="replace a store that exists")
    parser.add_argument("--resume", action="store_true", help="go on with a build that was interrupted")
    parser.add_argument(
        "--workers", type=int, metavar="N", help="processes that read (default: one a processor)"
    )
    parser.add_argument(
        "--kind",
        metavar="KIND",
        choices=KINDS,
        help="what SOURCE is, if it is not seen from its content",
    )
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="COLUMN=...",
        help="meaning of a table column: DATASET:PROTOCOL:METRIC[:SEED]; DATASET:METRIC for metrics of the"
        " network; arch, index, code, naslib (NASLib's tuple) or ops (a key such as 421211) for the cell."
        " Repeat for each column",
    )
    parser.add_argument(
        "--scale",
        type=float,
        metavar="FACTOR",
        help="multiply all accuracies of a table, such as 100 for fractions (default: they are percentages)",
    )
    _add_space(parser)
    parser.formatter_class = ListFormatter
    parser.epilog = "kinds of sources:\n" + "\n".join(f"  {kind:<14}{what}" for kind, what in KINDS.items())


def _add_cell(parser):
    parser.add_argument(
        "cell",
        metavar="CELL",
        help="an official index, or an arch string in quotes (or five widths, 8:8:8:16:32)",
    )


def _add_dataset_and_metric(parser):
    parser.add_argument("--dataset", metavar="NAME", default="cifar10", help="default: cifar10")
    parser.add_argument("--metric", metavar="NAME", default="val_accuracy", help="default: val_accuracy")


def _add_question(parser, epoch=True):
    parser.add_argument(
        "--protocol",
        type=int,
        metavar="EPOCHS",
        help="epochs of the training run (default: the longest, which papers report)",
    )
    if epoch:
        parser.add_argument("--epoch", type=int, metavar="E", help="counted from 0 (default: the last)")
    parser.add_argument(
        "--seed", type=int, metavar="S", help="one recorded run (default: the mean over runs)"
    )
    _add_store_and_json(parser)


def _add_store_and_json(parser):
    parser.add_argument(
        "--store", metavar="FILE", help="a store that `build` made (default: the default table)"
    )
    _add_space(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def _add_space(parser):
    spaces = "; ".join(f"{flag}: {space.summary}" for flag, space in SPACES.items())
    parser.add_argument(
        "--space", metavar="SPACE", choices=SPACES, help=f"{spaces} (default: that of the store)"
    )


def _query(args):
    bench = open_benchmark(args.store, args.space)
    cell = _cell(bench, args.cell)
    options = {"protocol": _protocol(args, bench), "epoch": args.epoch, "seed": args.seed}
    rows = []
    unanswered = None  # the first reason; of interest only where nothing is answered
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
        nothing = f"the store has nothing of cell {args.cell} after {options['protocol']} epochs"
        raise unanswered or NotRecordedError(f"{nothing}; {others}" if others else nothing)
    header = ("dataset", "metric", "value", "unit", "rank")
    if args.json:
        results = [dict(zip(header, row, strict=True)) for row in rows]
        print_json({**_names(cell, bench), **options, "results": results})
    else:
        _print_names(cell, bench)
        print_table(header, rows)
        print_hidden({metric for _, metric in asked} - {metric for _, metric in shown})
        if others:
            print(f"\n{others}")
    return 0


def _other_protocols(bench, args):
    """Return a line about the protocols of a store that lacks the longest one, None if it is not needed."""
    protocols = bench.protocols(args.dataset)
    if args.protocol is not None or not protocols or bench.space.full_protocol in protocols:
        return None
    metrics = {}
    for found in bench.recorded():
        if found.protocol is not None and args.dataset in (None, found.dataset):
            metrics.setdefault(found.protocol, {})[found.metric] = None
    return "recorded with " + "; ".join(
        f"--protocol {protocol}: {', '.join(names)}" for protocol, names in sorted(metrics.items())
    )


def _protocol(args, bench):
    return bench.space.full_protocol if args.protocol is None else args.protocol


def _asked(bench, cell, args):
    """The (data set, metric) pairs that a query may be about; what is not named is all that there is."""
    if args.dataset is not None:
        get_dataset(args.dataset)
    datasets = DATASETS if args.dataset is None else [args.dataset]
    if args.metric is not None:
        metric = get_metric(args.metric)
        return [(name, args.metric) for name in datasets if args.dataset is not None or exists(name, metric)]
    entry = bench.entry(cell, protocol=args.protocol)
    a_run = args.epoch is not None or args.seed is not None
    return [
        (name, metric)
        for name in datasets
        for metric in entry.get(name, ())
        if not (a_run and METRICS[metric].of_the_network)
    ]


def _curve(args):
    bench = open_benchmark(args.store, args.space)
    cell = _cell(bench, args.cell)
    options = {"protocol": _protocol(args, bench), "seed": args.seed}
    values = bench.curve(cell, args.dataset, args.metric, **options).tolist()
    if args.json:
        asked = {"dataset": args.dataset, "metric": args.metric, **options}
        values = [value if value == value else None for value in values]  # JSON has no NaN
        print_json({**_names(cell, bench), **asked, "values": values})
    else:
        _print_names(cell, bench)
        print_table(("epoch", f"{args.metric} [{METRICS[args.metric].unit}]"), list(enumerate(values)))
    return 0


def _top(args):
    bench = open_benchmark(args.store, args.space)
    options = {"protocol": _protocol(args, bench), "epoch": args.epoch, "seed": args.seed}
    from nasbench.constraints import AT_LEAST, AT_MOST, joined, read_limits

    longest = bench.space.full_protocol
    limits = (read_limits(AT_MOST, args.at_most, longest), read_limits(AT_LEAST, args.at_least, longest))
    where = joined(*limits)
    found = bench.top(args.n, args.dataset, args.metric, **options, where=where)
    rows = [(entry.rank, entry.index, entry.value, str(entry.cell)) for entry in found]
    if args.json:
        cells = [dict(zip(("rank", "index", "value", "arch"), row, strict=True)) for row in rows]
        given = {"at_most": limits[0], "at_least": limits[1]} if where else {}
        print_json({"dataset": args.dataset, "metric": args.metric, **options, **given, "cells": cells})
    else:
        unit = METRICS[args.metric].unit
        print_table(("rank", "index", f"{args.dataset} {args.metric} [{unit}]", "cell"), rows)
    return 0


def _info(args):
    bench = open_benchmark(args.store, args.space)
    if args.verify:
        bench.verify()
    meanings = [
        (name, dataset if metric.split else "all", meaning_of(dataset, metric), metric.source)
        for name, metric in METRICS.items()
        for dataset in (DATASETS if metric.split else list(DATASETS)[:1])
        if exists(dataset, metric)
    ]
    recorded = bench.recorded()
    sources = {}  # of each array
    for source, arrays in sorted(bench.store.origins().items()):
        for array in arrays:
            sources[array] = f"{sources[array]} + {source}" if array in sources else source
    if args.json:
        rows = [
            r._asdict()
            | {"epochs": r.epochs and [r.epochs.start, r.epochs.stop - 1], "source": sources[r.array]}
            for r in recorded
        ]
        store = {"path": str(bench.store.path), **bench.store.attributes, "verified": args.verify}
        names = ("metric", "dataset", "meaning", "defined_by")
        meanings = [dict(zip(names, row, strict=True)) for row in meanings]
        print_json({"store": store, "recorded": rows, "meanings": meanings})
        return 0
    attributes = {name: text for name, text in bench.store.attributes.items() if name != ORIGINS}
    print_table(("store", str(bench.store.path)), list(attributes.items()))
    verified = "yes: data and provenance match the checksum" if args.verify else "no (--verify does)"
    print(f"verified  {verified}\n")
    rows = {}
    for r in recorded:
        seeds = "-" if r.seeds is None else list_seeds(r.seeds)
        where = (r.dataset, r.protocol or "-", _span(r.epochs), seeds, sources[r.array])
        rows.setdefault(where, []).append(r.metric)
    rows = [(*where, ", ".join(metrics)) for where, metrics in rows.items()]
    print_table(("recorded", "protocol", "epochs", "seeds", "from", "metrics"), rows)
    print()
    print_table(("metric", "dataset", "meaning", "defined by"), meanings)
    return 0


def _build(args):
    from nasbench.build import build  # here, as no lookup needs it

    try:
        summary = build(
            [None if name == "default" and not os.path.exists(name) else name for name in args.sources],
            args.out,
            kind=args.kind,
            workers=args.workers,
            resume=args.resume,
            force=args.force,
            maps=args.map,
            scale=args.scale,
            space=args.space,
            progress=True,
        )
    except KeyboardInterrupt:
        complain(
            "what was read, if anything, is kept beside the store; the same command with --resume goes on"
        )
        raise
    attributes = summary.attributes
    print(
        f"built     {summary.path} ({summary.path.stat().st_size / 1e6:,.1f} MB) in {summary.seconds:,.1f} s"
    )
    print(f"from      {attributes['source']} {attributes['source_version']}")
    found = summary.cells - len(summary.missing)
    before = f", {summary.resumed:,} of them by the interrupted build" if summary.resumed else ""
    print(f"read      {found:,} of {summary.cells:,} cells{before}")
    if len(summary.missing):
        some = ", ".join(map(str, summary.missing[:_SOME]))
        more = ", ..." if len(summary.missing) > _SOME else ""
        print(f"missing   {len(summary.missing):,} cells, by index: {some}{more}")
    for dataset, protocol, seeds in summary.runs:
        counts = ", ".join(f"{count:,} with seed {seed}" for seed, count in seeds.items())
        print(f"runs      {dataset}, {protocol} epochs: {counts}")
    for line in summary.checked:
        print(f"checked   {line}")
    for line in summary.notes:
        print(f"note      {line}")
    for name, first, other, count, largest, index in summary.differences:
        print(f"differs   {name}: {count:,} values, by up to {largest:.6g} (cell {index})")
        print(f"          {first} wins over {other}")
    print(f"checksum  {attributes['checksum']}")
    return 0


def _cell(bench, text):
    try:
        return bench.cell(int(text))
    except ValueError as error:  # not a number; or a number that is no index
        if isinstance(error, InvalidCellError):
            raise
        return bench.cell(text)


def _names(cell, bench):
    """All the names of a cell, for JSON."""
    if not isinstance(cell, Cell):
        return {"arch": str(cell), "index": bench.index(cell), "code": cell.code, "widths": list(cell.widths)}
    classes = bench.isomorphism_classes()
    number = int(classes[cell.code])
    return {
        "arch": str(cell),
        "index": bench.index(cell),
        "code": cell.code,
        "naslib": list(cell.naslib),
        "isomorphism_class": number,
        "isomorphic_cells": int((classes == number).sum()),
    }


def _print_names(cell, bench):
    names = _names(cell, bench)
    print(names["arch"])
    if not isinstance(cell, Cell):
        print(f"index {names['index']}\n")
        return
    print(
        f"index {names['index']}, code {names['code']}, NASLib {tuple(names['naslib'])},"
        f" isomorphism class {names['isomorphism_class']} (cells in it: {names['isomorphic_cells']})\n"
    )


def _span(epochs):
    return "-" if epochs is None else f"{epochs.start}-{epochs.stop - 1}" if len(epochs) > 1 else epochs.start


_COMMANDS = {
    "query": (_query, _add_query, "what a cell scores", "What a cell scores."),
    "curve": (_curve, _add_curve, "a cell's learning curve", "A metric of a cell at every epoch."),
    "top": (_top, _add_top, "the best cells", "The best cells of the whole space."),
    "info": (
        _info,
        _add_info,
        "what the table holds and what its numbers mean",
        "Where the table comes from, what it holds, and what every number means.",
    ),
    "build": (
        _build,
        _add_build,
        "make a store from published sources",
        "Make a store from published sources; it appears whole or not at all.",
    ),
}

if __name__ == "__main__":
    sys.exit(main())
