"""Train an architecture from scratch: `python -m oneshot.retrain`."""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from nasbench.runs.command import Parser
from oneshot.retrain.report import RetrainResult, format_result
from oneshot.retrain.session import RetrainSession
from oneshot.retrain.settings import SMOKE, RetrainSettings
from oneshot.retrain.task import RetrainJob
from oneshot.training.command import TrainingActivity, TrainingCommand, shortened
from oneshot.training.command import main as run
from oneshot.training.distributed import leave
from oneshot.training.environment import Environment
from oneshot.training.images import SMALL


class RetrainCommand(TrainingCommand[RetrainResult]):
    """Command that trains and tests an architecture, and exports its network."""

    prog = "python -m oneshot.retrain"
    keeps = "settings, log, weights, summary and picture"

    def parser(self, argv: Sequence[str]) -> Parser:
        """Build the parser of all flags."""
        parser = Parser(
            prog=self.prog,
            allow_abbrev=False,
            description="Train the network of an architecture from scratch, as the authors of its space do,"
            " and test it. The default data set is scikit-learn's digits, which need no download. To use N"
            " processes with a GPU each: torchrun --nproc-per-node N -m oneshot.retrain ...",
            epilog=f"On {' and '.join(SMALL)}, images are not augmented.",
        )
        parser.add_argument(
            "architecture",
            nargs="?",
            help="genotype as printed by Liu et al. 2019, pt.darts or AutoDL-Projects, Hierarchy(...), arch"
            " string or index of NAS-Bench-201, JSON of one of these, published name such as DARTS_V2, or"
            " folder of a finished search",
        )
        RetrainSettings.add_flags(parser.add_argument_group("training"))
        self.add_run_flags(parser, SMOKE).add_argument(
            "--export", metavar="FILE", help="write the trained network: .pt2 of torch.export, or .onnx"
        )
        return parser

    def check(self, parser: Parser, args: argparse.Namespace) -> None:
        """Exit with an error if there is nothing to train."""
        if args.architecture is None and args.resume is None:
            parser.error("an architecture or --resume FOLDER is required")

    @contextmanager
    def open(self, args: argparse.Namespace) -> Iterator[TrainingActivity[RetrainResult]]:
        """Start or resume a retraining."""
        if args.export is not None:
            from oneshot.export import check

            check(args.export)
        settings = RetrainSettings.given(args)
        if args.smoke:
            settings = shortened(settings, SMOKE)
        new = RetrainSettings(**settings)
        if args.resume is None:
            job = partial(RetrainJob.create, args.architecture, new, Environment.from_flags(args))
            opened = RetrainSession.begin(job, args.out, tensorboard=args.tensorboard)
        else:
            settings = {name: getattr(new, name) for name in settings}  # normalized, as in the record
            environment, given = Environment.given(args), args.architecture
            job = partial(RetrainJob.resume, environment=environment, settings=settings, architecture=given)
            opened = RetrainSession.resume(job, args.resume, tensorboard=args.tensorboard)
        with opened as session:
            yield TrainingActivity(session, format_result, lambda result: _remark(args, result))


def _remark(args: argparse.Namespace, result: RetrainResult) -> Iterable[str]:
    """Export the network, if requested; yield a line on it, and why there is no picture."""
    if args.export is not None and result.complete:
        from oneshot.export import export

        exported = export(result.network, args.export, (3, *result.size))
        yield f"exported to {exported.path}; the maximum error of a logit is {exported.difference:.3g}"
    if result.note is not None:
        yield result.note


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    return run(RetrainCommand(), argv)


if __name__ == "__main__":
    leave(main())
