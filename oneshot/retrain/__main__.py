"""The command that trains an architecture from scratch: python -m oneshot.retrain."""

import os
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from dataclasses import fields
from io import StringIO

from data.errors import DataError
from nasbench.errors import NASBenchError
from nasbench.runs.command import INTERRUPTED, HeldInterrupt, Parser, call, complain, print_json
from nasbench.runs.files import quoted
from nasbench.runs.settings import add_flags, given
from oneshot.errors import OneShotError
from oneshot.retrain.report import print_summary
from oneshot.retrain.session import Session
from oneshot.retrain.settings import SMOKE, RetrainSettings
from oneshot.search.settings import SMALL, Places
from oneshot.training.distributed import joined, leave

_PROG = "python -m oneshot.retrain"
_ERRORS = (OneShotError, NASBenchError, DataError)


def main(argv=None):
    """The command line; returns the exit code."""
    args = _parse(argv)
    with ExitStack() as stack:
        try:
            group = stack.enter_context(joined())
        except (RuntimeError, ValueError) as error:
            complain(f"{_PROG}: error: cannot join the other processes: {str(error).splitlines()[0]}")
            return 2
        if group.leads:
            return call(lambda: _retrain(args, group), _PROG, _ERRORS)
        return call(lambda: _follow(args, group), f"{_PROG} (process {group.rank} of {group.size})", ())


def _parse(argv):
    parser = Parser(
        prog=_PROG,
        allow_abbrev=False,
        description="Train the network of an architecture from scratch, as its space's authors do, and test"
        " it. On scikit-learn's digits, which need no download, unless --dataset says otherwise. Several"
        " processes, on a GPU each: torchrun --nproc-per-node N -m oneshot.retrain ...",
        epilog=f"With --dataset {' or '.join(SMALL)}, there is no augmentation either.",
    )
    parser.add_argument(
        "architecture",
        nargs="?",
        help="a genotype as Liu et al. 2019, pt.darts or AutoDL-Projects print it, a Hierarchy(...), an arch"
        " string or index of NAS-Bench-201, JSON of these, a published name such as DARTS_V2, or the folder"
        " of a finished search",
    )
    add_flags(parser.add_argument_group("training"), RetrainSettings)
    add_flags(parser.add_argument_group("machine and data (may differ when a run goes on)"), Places)
    files = parser.add_argument_group("files")
    where = files.add_mutually_exclusive_group()
    where.add_argument(
        "--out", metavar="FOLDER", help="a new folder for settings, log, weights, summary and picture"
    )
    where.add_argument(
        "--resume", metavar="FOLDER", help="go on with a run, to the end that it would have had"
    )
    files.add_argument(
        "--export", metavar="FILE", help="write the trained network: .pt2 of torch.export, or .onnx"
    )
    files.add_argument(
        "--tensorboard", action="store_true", help="write the log for TensorBoard too, in the folder"
    )
    files.add_argument("--json", action="store_true", help="print the summary as JSON")
    files.add_argument(
        "--smoke",
        action="store_true",
        help="a trial of the whole way in seconds:"
        f" {', '.join(f'{name} {value}' for name, value in SMOKE.items())}",
    )
    with ExitStack() as stack:
        if int(os.environ.get("RANK", "0")):  # the first process says it
            stack.enter_context(redirect_stderr(StringIO()))
            stack.enter_context(redirect_stdout(StringIO()))
        args = parser.parse_args(argv)
        if args.architecture is None and args.resume is None:
            parser.error("an architecture is needed, or --resume FOLDER")
    return args


def _follow(args, group):
    """What a process does that is not the first one: as that does, but silently."""
    try:
        with redirect_stdout(StringIO()):
            return _retrain(args, group)
    except KeyboardInterrupt:
        return INTERRUPTED
    except _ERRORS:  # the first process has the same, or said by this one
        return 2


def _retrain(args, group):
    settings, places = given(args, RetrainSettings), given(args, Places)
    if args.smoke:
        settings |= SMOKE
    if args.export is not None:
        from oneshot.export import check

        check(args.export)
    with _session(args, settings, places) as session:
        if group.leads:
            for note in session.job.notes:
                complain(f"note: {note}")
        try:
            with HeldInterrupt() as interrupt:
                session.train(lambda: interrupt.came, progress=True)
            result = session.finish()
        except KeyboardInterrupt:  # a second one, or one after the last epoch; what was saved is whole
            if group.leads:
                complain(f"interrupted{_go_on(session)}")
            return INTERRUPTED
        if group.leads:
            _report(args, session, result)
    return 0 if result.complete else INTERRUPTED


def _session(args, settings, places):
    if args.resume is None:
        return Session.begin(
            args.architecture,
            RetrainSettings(**settings),
            args.out,
            places=Places(**places),
            tensorboard=args.tensorboard,
        )
    named = RetrainSettings(**settings)  # as they are recorded
    settings = {f.name: getattr(named, f.name) for f in fields(named) if f.name in settings}
    return Session.resume(
        args.resume,
        places=places,
        settings=settings,
        architecture=args.architecture,
        tensorboard=args.tensorboard,
    )


def _report(args, session, result):
    if args.json:
        print_json(result.summary)
    else:
        print_summary(result.summary, result.seconds, session.group.size)
        if session.path is None:
            print("\nnot saved; --out FOLDER keeps settings, log, weights, summary and picture")
        else:
            drawn = f", with {', '.join(result.pictures)}" if result.pictures else ""
            print(f"\nsaved in {session.path}{drawn}")
    if args.export is not None and result.complete:
        from oneshot.export import export

        exported = export(result.network, args.export, (3, *session.job.feed.size))
        complain(f"exported to {exported.path}, off by {exported.difference:.3g} at most in a logit")
    if result.note is not None:
        complain(result.note)
    if not result.complete:
        training = session.training
        steps = f" and {training.batch:,} step{'s' * (training.batch != 1)}" if training.batch else ""
        complain(
            f"interrupted after {training.epoch:,} of {training.epochs:,} epochs{steps}{_go_on(session)}"
        )


def _go_on(session):
    if session.path is None:
        return "; not saved"
    return f"; go on with: {_PROG} --resume {quoted(session.path)}"


if __name__ == "__main__":
    leave(main())
