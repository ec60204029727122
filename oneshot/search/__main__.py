"""The command of all searches by gradient: python -m oneshot.search."""

import sys
from dataclasses import fields

from data.errors import DataError
from nasbench.errors import NASBenchError
from nasbench.runs.command import (
    INTERRUPTED,
    HeldInterrupt,
    ListFormatter,
    Parser,
    call,
    complain,
    print_json,
)
from nasbench.runs.files import quoted
from nasbench.runs.settings import add_flags, given
from oneshot.errors import ConfigError, OneShotError
from oneshot.methods.recipes import contradictions, recipe_table
from oneshot.methods.registry import METHODS, method_of
from oneshot.search.record import SEARCH
from oneshot.search.reopened import Reopened, reopen
from oneshot.search.report import print_summary
from oneshot.search.session import Result, Session, resume, search
from oneshot.search.settings import SMALL, SMOKE, SMOKE_CONFIG, Places, SearchSettings, config_of
from oneshot.training.folder import read_config

__all__ = ["Reopened", "Result", "SearchSettings", "Places", "main", "reopen", "resume", "search"]

_PROG = "python -m oneshot.search"


def main(argv=None):
    """The command line; returns the exit code."""
    method = _method(argv)
    parser = Parser(
        prog=_PROG,
        allow_abbrev=False,
        description="Search a space of architectures by gradient with one supernet, and score what is found"
        " by the published table. Without options: DARTS on scikit-learn's digits, which need no download.",
        epilog=f"The options of {method.name} are shown; --method NAME --help shows another's"
        f" ({', '.join(METHODS)}).\nOn {' and '.join(SMALL)}, networks are smaller and images not"
        f" augmented.\n\n{recipe_table()}",
    )
    parser.formatter_class = ListFormatter
    add_flags(parser.add_argument_group("search"), SearchSettings)
    add_flags(parser.add_argument_group(method.name), method.config_class)
    add_flags(parser.add_argument_group("machine and data (may differ when a run goes on)"), Places)
    files = parser.add_argument_group("files")
    where = files.add_mutually_exclusive_group()
    where.add_argument(
        "--out", metavar="FOLDER", help="a new folder for settings, log, checkpoint, summary and pictures"
    )
    where.add_argument(
        "--resume", metavar="FOLDER", help="go on with a run, to the end that it would have had"
    )
    files.add_argument(
        "--tensorboard", action="store_true", help="write the log for TensorBoard too, in the folder"
    )
    files.add_argument("--json", action="store_true", help="print the summary as JSON")
    files.add_argument(
        "--smoke",
        action="store_true",
        help="a trial of the whole way in seconds:"
        f" {', '.join(f'{name} {value}' for name, value in (SMOKE | SMOKE_CONFIG).items())}",
    )
    args = parser.parse_args(argv)
    return call(lambda: _search(args, method), _PROG, (OneShotError, NASBenchError, DataError))


def _method(argv):
    """The method whose options there are: the one named, else that of the run to go on with, else DARTS."""
    parser = Parser(prog=_PROG, allow_abbrev=False, add_help=False)
    parser.add_argument("--method")
    parser.add_argument("--resume")
    args, _ = parser.parse_known_args(argv)
    if args.method is None and args.resume is not None:
        try:
            recorded = read_config(args.resume, SEARCH)["search"]["method"]
            return method_of(recorded)
        except (NASBenchError, OneShotError, LookupError, TypeError):  # said when the run is to go on
            pass
    try:
        return method_of(args.method or SearchSettings.method)
    except ConfigError as error:
        return parser.error(error)


def _search(args, method):
    config, settings = given(args, method.config_class), given(args, SearchSettings)
    places = given(args, Places)
    if args.smoke:
        settings |= SMOKE
        config |= SMOKE_CONFIG
    if args.resume is None:
        settings = SearchSettings(**settings)
        config = config_of(settings, **config)
        for line in contradictions(settings.recipe, config):
            complain(f"note: {line}")
        session = Session.begin(
            settings,
            config,
            args.out,
            places=Places(**places),
            tensorboard=args.tensorboard,
        )
    else:
        if "dataset" in settings or "split_list" in settings:  # as they are recorded
            named = SearchSettings(**settings)
            settings |= {f.name: getattr(named, f.name) for f in fields(named) if f.name in settings}
        session = Session.resume(
            args.resume, places=places, settings=settings, config=config, tensorboard=args.tensorboard
        )
    with session:
        try:
            with HeldInterrupt() as interrupt:
                session.train(lambda: interrupt.came, progress=True)
            result = session.finish(conclude=not interrupt.came)
        except KeyboardInterrupt:  # a second one, or one after the last epoch; what was saved is whole
            complain(f"interrupted{_go_on(session)}")
            return INTERRUPTED
        _report(args, session, result)
    return 0 if result.complete else INTERRUPTED


def _report(args, session, result):
    folder = session.folder
    if args.json:
        print_json(result.summary)
    else:
        print_summary(result.summary, result.images, result.seconds)
        if folder is None:
            print("\nnot saved; --out FOLDER keeps settings, log, checkpoint, summary and pictures")
        else:
            drawn = f", with {', '.join(result.pictures)}" if result.pictures else ""
            print(f"\nsaved in {folder.path}{drawn}")
    for line in (result.note, result.summary["warning"] and f"warning: {result.summary['warning']}"):
        if line is not None:
            complain(line)
    if not result.complete:
        training = session.training
        steps = f" and {training.batch:,} step{'s' * (training.batch != 1)}" if training.batch else ""
        complain(
            f"interrupted after {training.epoch:,} of {training.epochs:,} epochs{steps}{_go_on(session)}"
        )


def _go_on(session):
    if session.folder is None:
        return "; not saved"
    return f"; go on with: {_PROG} --resume {quoted(session.folder.path)}"


if __name__ == "__main__":
    sys.exit(main())
