"""The command that trains an architecture from scratch: python -m oneshot.retrain."""

import argparse
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import fields

from nasbench.runs.command import Parser
from nasbench.runs.settings import add_flags, given
from oneshot.retrain.report import RetrainResult, format_result
from oneshot.retrain.session import RetrainSession, begin_retraining, resume_retraining
from oneshot.retrain.settings import SMOKE, RetrainSettings
from oneshot.training.command import TrainingCommand
from oneshot.training.distributed import ProcessGroup, leave
from oneshot.training.environment import Environment
from oneshot.training.images import SMALL


class RetrainCommand(TrainingCommand[RetrainResult]):
    """Trains an architecture, tests it, and exports its network."""

    prog = "python -m oneshot.retrain"
    kept = "settings, log, weights, summary and picture"

    def parse(self, argv: Sequence[str] | None) -> argparse.Namespace:
        """Return the arguments."""
        parser = Parser(
            prog=self.prog,
            allow_abbrev=False,
            description="Train the network of an architecture from scratch, as its space's authors do, and"
            " test it. On scikit-learn's digits, which need no download, unless --dataset says otherwise."
            " Several processes, on a GPU each: torchrun --nproc-per-node N -m oneshot.retrain ...",
            epilog=f"With --dataset {' or '.join(SMALL)}, there is no augmentation either.",
        )
        parser.add_argument(
            "architecture",
            nargs="?",
            help="a genotype as Liu et al. 2019, pt.darts or AutoDL-Projects print it, a Hierarchy(...), an"
            " arch string or index of NAS-Bench-201, JSON of these, a published name such as DARTS_V2, or the"
            " folder of a finished search",
        )
        add_flags(parser.add_argument_group("training"), RetrainSettings)
        self.add_environment(parser)
        self.add_files(parser, SMOKE).add_argument(
            "--export", metavar="FILE", help="write the trained network: .pt2 of torch.export, or .onnx"
        )
        args = parser.parse_args(argv)
        if args.architecture is None and args.resume is None:
            parser.error("an architecture is needed, or --resume FOLDER")
        return args

    def open(self, args: argparse.Namespace) -> AbstractContextManager[RetrainSession]:
        """Begin or resume a retraining."""
        if args.export is not None:
            from oneshot.export import check

            check(args.export)
        settings, environment = given(args, RetrainSettings), given(args, Environment)
        if args.smoke:
            settings |= SMOKE
        named = RetrainSettings(**settings)
        if args.resume is None:
            return begin_retraining(
                args.architecture,
                named,
                args.out,
                environment=Environment(**environment),
                tensorboard=args.tensorboard,
            )
        return resume_retraining(
            args.resume,
            environment=environment,
            settings={f.name: getattr(named, f.name) for f in fields(named) if f.name in settings},
            architecture=args.architecture,
            tensorboard=args.tensorboard,
        )

    def format(self, result: RetrainResult, group: ProcessGroup) -> str:
        """Return a result as text for people."""
        return format_result(result, group.size)

    def remarks(
        self, args: argparse.Namespace, session: RetrainSession, result: RetrainResult
    ) -> Iterable[str]:
        """Export the network, and say so; yield why there is no picture."""
        if args.export is not None and result.complete:
            from oneshot.export import export

            exported = export(result.network, args.export, (3, *session.job.images.size))
            yield f"exported to {exported.path}, off by {exported.difference:.3g} at most in a logit"
        if result.note is not None:
            yield result.note


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    return RetrainCommand().run(argv)


if __name__ == "__main__":
    leave(main())
