"""Several searches, the best of them by a short training, that one trained from scratch, in one command."""

import shlex
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from data.errors import DataError
from data.images import FOLDER, NAMES
from nasbench.errors import NASBenchError, said, shown
from nasbench.runs.command import INTERRUPTED, HeldInterrupt, Parser, call, complain, print_json, print_table
from nasbench.runs.files import quoted, read_json, utc_now
from nasbench.runs.settings import SEEDS, add_flags, given, option, whole
from oneshot.errors import ConfigError, FolderRemovedError, OneShotError, RunFolderError
from oneshot.methods.registry import METHODS, method_of
from oneshot.pipeline.jobs import Job, run
from oneshot.retrain.weights import RETRAINING
from oneshot.search.record import SEARCH, versions
from oneshot.search.table import open_nb201
from oneshot.spaces.registry import SPACES, space_of
from oneshot.training.environment import Environment, get_device
from oneshot.training.folder import RunFolder, Stage, check_new, read_config, read_log
from oneshot.training.words import counted, duration

_PROG = "python -m oneshot.pipeline"
_MOST_SEARCHES = 1_000
PIPELINE = Stage("pipeline", {"job": str, "architecture": str, "accuracy": float, "seconds": float})
_SHORT = {  # what a search's architecture is compared by: its space's supernet's size, trained a while
    "nb201": "--protocol 12",  # the benchmark's own low fidelity, at full size
    "darts": "--epochs 100 --channels 16 --cells 8 --auxiliary-weight 0",
    "hierarchical": "--epochs 100 --channels 16 --cells 1",
}


@dataclass(frozen=True)
class PipelineSettings:
    """Four searches, of which the best is trained, as in Ruchte et al. 2020, NASLib, appendix A.1."""

    space: str = option(
        "darts",
        "; ".join(f"{name}: {space.summary}" for name, space in SPACES.items()),
        choices=tuple(SPACES),
    )
    method: str = option("darts", f"of the searches: {', '.join(METHODS)}, or MODULE:CLASS of your own")
    dataset: str = option(
        "digits",
        f"{', '.join(NAMES)}, or {FOLDER}PATH for a tree of images, train/<class>/* and test/<class>/*",
    )
    searches: int = option(4, "with seeds that follow each other")
    seed: int = option(0, "of the first search, and of all trainings")
    search_options: str = option(
        "", 'further options of each search, as in --search-options="--epochs 25 --amp"', metavar="OPTIONS"
    )
    short_options: str | None = option(
        None,
        "of the short training of what each search found, on the half that searches train on, tested on the"
        f" half they validate on (default: {', '.join(f'{name}: {text}' for name, text in _SHORT.items())};"
        " on digits: none)",
        type=str,
        metavar="OPTIONS",
    )
    final_options: str = option("", "of the training of the best one, on all images", metavar="OPTIONS")
    smoke: bool = option(False, "a trial of the whole way in a minute or two, on the digits")

    def __post_init__(self):
        space_of(self.space)
        method_of(self.method)
        whole("searches", self.searches, 1, _MOST_SEARCHES)
        whole("seed", self.seed, 0, SEEDS - self.searches)
        if not isinstance(self.dataset, str):
            raise ConfigError(f"dataset must be a string, got {shown(self.dataset)}")
        if not isinstance(self.smoke, bool):
            raise ConfigError(f"smoke must be true or false, got {shown(self.smoke)}")
        if self.short_options is None:
            usual = "" if self.smoke or self.dataset == "digits" else _SHORT[self.space]
            object.__setattr__(self, "short_options", usual)
        for name in ("search_options", "short_options", "final_options"):
            if not isinstance(getattr(self, name), str):
                raise ConfigError(f"{name} must be a string, got {shown(getattr(self, name))}")
            try:
                words = shlex.split(getattr(self, name))
            except ValueError as error:
                raise ConfigError(f"{name.replace('_', '-')} cannot be read: {error}") from None
            for word in words:
                if word.split("=")[0] in _OURS:
                    raise ConfigError(f"{word} is not for {name.replace('_', '-')}: the pipeline gives it")


_OURS = ("--space", "--method", "--dataset", "--seed", "--out", "--resume", "--device", "--split", "--json")


class Pipeline:
    """The jobs of a pipeline and their folders: SEARCHES, then short trainings, then the final one."""

    def __init__(self, path, settings, folder=None, download=None, store=None):
        self.path, self.settings = Path(path), settings
        self._places = [*(["--folder", folder] if folder else []), *(["--download"] if download else [])]
        self._places += ["--store", store] if store else []

    def searches(self):
        """The searches, a list of Jobs."""
        s = self.settings
        return [
            self._job(
                f"search-{k}",
                "oneshot.search",
                ["--space", s.space, "--method", s.method, "--seed", str(s.seed + k)],
                s.search_options,
            )
            for k in range(s.searches)
        ]

    def shorts(self):
        """The short trainings of what the searches found, a list of Jobs."""
        return [
            self._training(f"short-{k}", f"search-{k}", "half", self.settings.short_options)
            for k in range(self.settings.searches)
        ]

    def final(self, best):
        """The training of what the `best`-th search found, a Job."""
        return self._training("final", f"search-{best}", "full", self.settings.final_options)

    def _training(self, name, of, split, options):
        arguments = [str(self.path / of), "--split", split, "--seed", str(self.settings.seed)]
        return self._job(name, "oneshot.retrain", arguments, options)

    def _job(self, name, module, arguments, options):
        path = self.path / name
        if (path / "config.json").exists():
            words = ["--resume", str(path)]
        else:
            words = [
                *arguments,
                "--dataset",
                self.settings.dataset,
                *shlex.split(options),
                "--out",
                str(path),
            ]
            words += ["--smoke"] if self.settings.smoke else []
        log = self.path / "output" / f"{name}.json"
        return Job(name, module, (*words, *self._places, "--json"), log)

    def summary_of(self, name):
        """Return what a job that is done found, a dict; None if it is not, or its file is damaged."""
        with suppress(OSError, ValueError):
            summary = read_json(self.path / name / "summary.json")
            if _is_finished(summary):
                return summary
        return None

    def best(self):
        """The number of the search whose architecture was right most often after its short training."""
        found = [self.summary_of(f"short-{k}")["result"]["top1"] for k in range(self.settings.searches)]
        return max(range(len(found)), key=lambda k: (found[k] is not None, found[k] or 0.0, -k))


def _is_finished(summary: object) -> bool:
    """Return whether a summary.json has all that a pipeline reads of a finished search or training."""
    match summary:
        case {
            "complete": True,
            "architecture": {"text": str()},
            "supernet": {"path": {"accuracy": int() | float()}},
            "benchmark": None | {"index": int()},
        }:
            return True
        case {
            "complete": True,
            "architecture": {"text": str()},
            "result": {"top1": int() | float()},
            "epochs": int(),
            "images": {"train": int(), "test": int()},
            "cost": {"params_without_auxiliary": int()},
        }:
            return True
    return False


def run_pipeline(pipeline, folder, devices, stop):
    """Run what is left of a pipeline on devices; whether it came to its end.

    `folder`: its RunFolder, which gets a row for each job.
    """
    folder.cut(None, 0)

    def write(job):
        summary = pipeline.summary_of(job.name)
        if summary is None:
            raise RunFolderError(f"{pipeline.path / job.name} has no summary.json of a finished run")
        folder.append(row_of(job.name, summary, pipeline.path / job.name))

    for jobs in (pipeline.searches, pipeline.shorts, lambda: [pipeline.final(pipeline.best())]):
        left = []
        for job in jobs():
            if pipeline.summary_of(job.name) is None:
                left.append(job)
            else:
                write(job)
        if left:
            complain(f"{left[0].name.split('-')[0]}: {counted(len(left), 'job')} on {', '.join(devices)}")
            if not run(left, devices, stop, write):
                return False
    return True


def row_of(name, summary, path):
    """A job's row of the log."""
    searched = "supernet" in summary
    return {
        "job": name,
        "architecture": summary["architecture"]["text"],
        "accuracy": summary["supernet"]["path"]["accuracy"] if searched else summary["result"]["top1"],
        "seconds": sum(row["seconds"] for row in read_log(path, SEARCH if searched else RETRAINING)),
    }


def summarize(pipeline):
    """What a pipeline found, a dict of plain values."""
    best = pipeline.best()
    final = pipeline.summary_of("final")
    return {
        "settings": asdict(pipeline.settings),
        "complete": True,
        "searches": [
            {
                "seed": pipeline.settings.seed + k,
                "architecture": pipeline.summary_of(f"search-{k}")["architecture"],
                "path_accuracy": pipeline.summary_of(f"search-{k}")["supernet"]["path"]["accuracy"],
                "short_accuracy": pipeline.summary_of(f"short-{k}")["result"]["top1"],
                "benchmark": pipeline.summary_of(f"search-{k}")["benchmark"],
            }
            for k in range(pipeline.settings.searches)
        ],
        "best": best,
        "final": final,
        "architecture": final["architecture"],
    }


def print_summary(summary, seconds):
    """The findings as text; `seconds`: that all jobs took."""
    settings, final = summary["settings"], summary["final"]
    print(
        f"{settings['space']} searched by {settings['method']} on {settings['dataset']}:"
        f" {counted(settings['searches'], 'seed')} from {settings['seed']} on; {duration(seconds)} in all\n"
    )
    rows = [
        (
            f"search-{k}" + (" *" if k == summary["best"] else ""),
            found["seed"],
            f"{found['path_accuracy']:.2f}",
            f"{found['short_accuracy']:.2f}",
            *([found["benchmark"]["index"]] if found["benchmark"] else []),
        )
        for k, found in enumerate(summary["searches"])
    ]
    header = ["", "seed", "path in the supernet [%]", "after a short training [%]"]
    header += ["index in the benchmark"] if summary["searches"][0]["benchmark"] else []
    print_table(header, rows)
    top1, cost = final["result"]["top1"], final["cost"]
    print(f"\n{'best':<15} {summary['architecture']['text']}")
    print(f"{'trained':<15} {counted(final['epochs'], 'epoch')} on {final['images']['train']:,} images")
    print(
        f"{'test':<15} {top1:.2f} % of {final['images']['test']:,} test images right, an error of"
        f" {100 - top1:.2f} %"
    )
    print(f"{'parameters':<15} {cost['params_without_auxiliary']:,}")


# The command


def main(argv=None):
    """The command line; returns the exit code."""
    parser = Parser(
        prog=_PROG,
        allow_abbrev=False,
        description="Search several times, train what each search found for a while, and the best of them"
        " from scratch: an experiment of a paper, in one command that can be stopped and gone on with.",
    )
    add_flags(parser.add_argument_group("experiment"), PipelineSettings)
    machine = parser.add_argument_group("machine and data (may differ when it goes on)")
    machine.add_argument(
        "--devices",
        help="cpu, or cuda:0,cuda:1,... which work side by side (default: all CUDA devices, else cpu)",
    )
    machine.add_argument(
        "--folder", help="where the data sets' archives are (default: images in $NASBENCH_HOME)"
    )
    machine.add_argument(
        "--download",
        action="store_true",
        help="fetch a data set that is not there, where that needs no login",
    )
    machine.add_argument(
        "--store",
        metavar="FILE",
        help="a table that `python -m nasbench build` made; it scores the cells that are found (default:"
        " NAS-Bench-201's)",
    )
    files = parser.add_argument_group("files")
    where = files.add_mutually_exclusive_group(required=True)
    where.add_argument("--out", metavar="FOLDER", help="a new folder for all runs and the report")
    where.add_argument("--resume", metavar="FOLDER", help="go on with a pipeline")
    files.add_argument("--json", action="store_true", help="print the summary as JSON")
    args = parser.parse_args(argv)
    return call(lambda: _pipeline(args), _PROG, (OneShotError, NASBenchError, DataError))


def _pipeline(args):
    devices = _devices(args.devices)
    asked = given(args, PipelineSettings)
    store = Environment(store=args.store).store  # the same from another folder
    if args.resume is None:
        settings = PipelineSettings(**asked | ({"dataset": "digits"} if asked.get("smoke") else {}))
        check_new(args.out)
        if space_of(settings.space).in_benchmark:
            open_nb201(store)  # an error, before there is a folder
        path = Path(args.out)
        record = {"pipeline": asdict(settings), "store": store, "versions": versions(), "created": utc_now()}
        folder = RunFolder.create(path, record, PIPELINE)
    else:
        path = Path(args.resume)
        folder = RunFolder.reopen(path, PIPELINE)
    with folder:
        if args.resume is not None:
            settings, recorded_store = _recorded(path)
            store = store or recorded_store
            for name, value in asked.items():
                if value != getattr(settings, name):
                    raise ConfigError(
                        f"--{name.replace('_', '-')} is not the pipeline's, {getattr(settings, name)!r};"
                        " only --devices, --folder, --download and --store may differ"
                    )
        pipeline = Pipeline(path, settings, args.folder, args.download, store)
        go_on = f"go on with: {_PROG} --resume {quoted(path)}"
        with HeldInterrupt(patient=True) as interrupt:

            def stop() -> bool:
                folder.check_in_place()
                return interrupt.came

            try:
                complete = run_pipeline(pipeline, folder, devices, stop)
            except FolderRemovedError:
                raise
            except (OneShotError, NASBenchError) as error:
                raise type(error)(f"{error}; {go_on}") from None
        if not complete:
            complain(f"interrupted; {go_on}")
            return INTERRUPTED
        summary = summarize(pipeline)
        folder.write_summary(summary)
        if args.json:
            print_json(summary)
        else:
            print_summary(summary, sum(row["seconds"] for row in read_log(path, PIPELINE)))
            print(f"\nsaved in {path}")
    return 0


def _devices(text):
    if text is not None:
        return [str(get_device(name.strip())) for name in text.split(",")]
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return [f"cuda:{number}" for number in range(count)] or ["cpu"]


def _recorded(path):
    """Return the settings in a pipeline's config.json, and the path of its store or None."""
    record = read_config(path, PIPELINE)
    try:
        names = {f.name for f in fields(PipelineSettings)}
        if set(record["pipeline"]) != names:
            raise TypeError(f"it has not just {', '.join(sorted(names))}")
        return PipelineSettings(**record["pipeline"]), Environment(store=record.get("store")).store
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise RunFolderError(
            f"{path}/config.json is not that of a pipeline, damaged, or of another version: {said(error)}"
        ) from None


if __name__ == "__main__":
    sys.exit(main())
