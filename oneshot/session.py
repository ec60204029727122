"""A search from beginning to end: begun, gone on with, or opened again to look at what it learned."""

import io
import sys
from contextlib import ExitStack, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from nasbench import __version__
from nasbench.cell import Cell
from nasbench.errors import NASBenchError, StoreError
from nasbench.files import quoted, utc_now
from oneshot import board, pictures
from oneshot.errors import ConfigError, DivergedError, MissingDependencyError, OneShotError, RunFolderError
from oneshot.feed import Feed
from oneshot.methods import method_of
from oneshot.progress import Bar
from oneshot.report import Scorer, summarize
from oneshot.run import RunFolder, check_new, read_checkpoint, read_config, read_log
from oneshot.settings import Places, SearchSettings
from oneshot.spaces.registry import space_of
from oneshot.training import Training, evaluate

_MAY_DIFFER = "only --device, --folder, --download and --store may differ"


@dataclass(frozen=True)
class Result:
    """What a search found."""

    cell: Cell  # chosen by the method; the present choice, where the search was stopped
    summary: dict  # as in summary.json
    log: list  # a row an epoch, {column: value or None}
    optimizer: object  # the MetaOptimizer with its trained supernet
    images: tuple  # numbers of training and validation images
    seconds: float  # that the epochs took
    pictures: tuple = ()  # files in the run's folder
    note: str | None = None  # why there are no pictures

    @property
    def complete(self):
        return self.summary["complete"]


def search(settings=None, config=None, out=None, *, places=None, stop=None, tensorboard=False):
    """Search a space by gradient; a Result.

    >>> from oneshot.optimizers.darts import DARTSConfig
    >>> result = search(SearchSettings(channels=2), DARTSConfig(epochs=1, batch=256))
    >>> result.complete, len(result.log), result.log[0]["arch"] == str(result.cell)
    (True, 1, True)

    `settings`: SearchSettings; `config`: of the method; `out`: a new folder to save the run in; `places`: Places;
    `stop()`: asked after each step, a true answer ends the search, saved so that `resume` goes on exactly there.

    The process's random numbers stay as they were. Equal settings give equal results, bit for bit on a CPU with as
    many threads.
    """
    with Session.begin(settings, config, out, places=places, tensorboard=tensorboard) as session:
        session.train(stop)
        return session.finish()


def resume(path, *, stop=None, tensorboard=False, **places):
    """Go on with the run in a folder to its end, which is where it would have ended undisturbed; a Result.

    `places`: fields of Places that differ from the run's.
    """
    with Session.resume(path, places=places, tensorboard=tensorboard) as session:
        session.train(stop)
        return session.finish()


class Session:
    """A search that can be stopped: `begin` or `resume` it, then within a `with` call `train`, and `finish`."""

    def __init__(self, settings, config, places, feed, scorer, folder=None, tensorboard=False):
        self.settings, self.config, self.feed, self.scorer = settings, config, feed, scorer
        self.device = places.torch_device()
        self.folder = folder
        self.training = self.optimizer = None  # within the `with`
        self.log = []
        self._space = space_of(settings.space)
        self._tensorboard = tensorboard
        self._cell = None  # once the method has concluded
        self._board = None
        self._closing = ExitStack()

    @classmethod
    def begin(cls, settings=None, config=None, out=None, *, places=None, tensorboard=False):
        """A new search; with `out`, its folder is made."""
        settings = SearchSettings() if settings is None else settings
        places = Places() if places is None else places
        kind = method_of(settings.method).config_class
        config = kind() if config is None else config
        if type(config) is not kind:
            raise ConfigError(
                f"{settings.method} is configured by {kind.__name__}, got {type(config).__name__}"
            )
        _check_board(tensorboard, out)
        device = places.torch_device()
        if out is not None:
            check_new(out)
        scorer = Scorer(settings.dataset, places.store)
        feed = _feed(settings, config, places)
        folder = None
        if out is not None:
            places = replace(places, device=str(device))
            folder = RunFolder.create(out, _record(settings, config, places, feed, scorer))
        return cls(settings, config, places, feed, scorer, folder, tensorboard)

    @classmethod
    def resume(cls, path, *, places=None, settings=None, config=None, tensorboard=False):
        """A run to go on with; `places`, `settings`, `config`: dicts of what is asked for, which has to agree."""
        folder = RunFolder.reopen(path)
        try:
            record = read_config(path)
            ours, method, recorded = _settings_in(record, path)
            _agree(settings, asdict(ours))
            _agree(config, asdict(method))
            _check_board(tensorboard, path)
            asked = recorded.updated(**(places or {}))
            asked.torch_device()
            scorer = _scorer_of(record, ours, asked, path)
            feed = _feed(ours, method, asked)
            _same_images(feed, record, ours, path)
            return cls(ours, method, asked, feed, scorer, folder, tensorboard)
        except BaseException:
            folder.close()
            raise

    def __enter__(self):
        with ExitStack() as stack:
            if self.folder is not None:
                stack.enter_context(self.folder)
            cuda = [self.device] if self.device.type == "cuda" else []
            stack.enter_context(torch.random.fork_rng(cuda))
            self.training = _training(self.settings, self.config, self.feed, self.device)
            self.optimizer = self.training.optimizer
            if self.folder is not None:
                self._load()
            if self._tensorboard:
                self._board = board.Board(self.folder.path / "tensorboard", self.training.epoch)
                stack.callback(self._board.close)
            self._closing = stack.pop_all()
        return self

    def __exit__(self, *_):
        self._closing.close()

    def train(self, stop=None, progress=False):
        """Go on to the last epoch, or until `stop()` is true after a step; what was reached is saved.

        DivergedError where a loss or a weight is no number any more; the last sound checkpoint is kept.
        """
        images = 2 * self.config.batch if self.optimizer.alphas else self.config.batch
        try:
            with Bar(self.training, self.optimizer.name, progress) as bar, self._memory():
                done = self.training.run(
                    stop or (lambda: False), lambda training: bar.look(training, images), self._after_epoch
                )
                bar.finish(self.training)
                if not done:
                    self.training.check()
                    self._save()
        except DivergedError as error:
            raise DivergedError(f"{error}; {self._kept()}; a lower --learning-rate may do") from None

    def finish(self):
        """Let the method conclude where the search is complete, and report: a Result."""
        with self._memory():
            training, batches = self.training, None
            complete = training.epoch == training.epochs
            if complete:
                batches = self.feed.evaluation(self.config.batch, self.device)
                if self._cell is None:
                    self.optimizer.conclude(batches)
                    self._cell = self._chosen()
                    self._save()
            cell = self._cell or self._chosen()
            mixed = alone = None
            if complete:
                if self.optimizer.alphas:
                    mixed = evaluate(self.optimizer, batches)
                with self._space.alone(self.optimizer.graph, cell):
                    alone = evaluate(self.optimizer, batches)
            summary = summarize(
                self.optimizer.name,
                asdict(self.settings),
                asdict(self.config),
                training,
                cell,
                self.scorer,
                complete,
                mixed,
                alone,
            )
        drawn, note = self._write(summary, cell, complete)
        images = len(self.feed.train_indices), len(self.feed.val_indices)
        seconds = sum(row["seconds"] for row in self.log) + training.seconds
        return Result(cell, summary, self.log, self.optimizer, images, seconds, drawn, note)

    def _chosen(self):
        """The cell that the method would choose now."""
        return self._space.cell(self.optimizer.get_final_architecture())

    def _after_epoch(self, epoch):
        val = epoch.val
        row = {
            "epoch": epoch.number,
            "train_loss": epoch.train.loss,
            "train_accuracy": epoch.train.accuracy,
            "val_loss": val and val.loss,
            "val_accuracy": val and val.accuracy,
            "learning_rate": epoch.learning_rate,
            "tau": epoch.tau,
            **self.scorer.row(self._chosen()),
            "images_per_second": epoch.images_per_second,
            "seconds": epoch.seconds,
        }
        self.log.append(row)
        if self.folder is not None:
            self.folder.append(row)
            self._save()
        if self._board is not None:
            self._board.add(row)

    # Saved, and loaded

    def _save(self):
        if self.folder is not None:
            cell = self._cell and str(self._cell)
            training = self.training.state_dict()
            self.folder.write_checkpoint({"training": training, "log": self.folder.position, "cell": cell})

    def _load(self):
        folder = self.folder
        state = read_checkpoint(folder.path)
        if state is None:
            rows = len(read_log(folder.path))
            if rows > 1:  # one is written before the first checkpoint
                raise RunFolderError(
                    f"{folder.path} has no checkpoint.pt, though its log has {rows:,} epochs"
                )
            folder.cut(None, 0)
            return
        position, cell = _load(self.training, state, folder.path)
        folder.cut(position, self.training.epoch)
        self.log = read_log(folder.path)
        self._cell = cell

    def _write(self, summary, cell, complete):
        """Save what a search found; returns the names of the pictures, and why there are none."""
        if self.folder is None:
            return (), None
        strengths, edges = self.training.strengths(), list(self._space.edges(self.optimizer.graph))
        if strengths is not None:
            data = io.BytesIO()
            np.savez(data, alphas=strengths.numpy(), edges=edges, operations=self._space.operations)
            self.folder.replace("alphas.npz", data.getbuffer())
        drawn, note = (), None
        if complete:
            try:
                pictures.check()
            except MissingDependencyError as error:
                note = f"no pictures: {error}"
            else:
                optimum = self.scorer.optimum and self.scorer.optimum.value
                title = (
                    f"{self.optimizer.name} on {Path(self.settings.dataset).name}, seed {self.settings.seed}"
                )
                operations = self._space.operations
                drawn = pictures.draw_all(
                    self.folder,
                    strengths,
                    edges,
                    operations,
                    self.log,
                    optimum,
                    cell,
                    title,
                    self.scorer.dataset,
                )
        self.folder.write_summary(summary)  # last: with it, the run is done
        return tuple(drawn), note

    def _kept(self):
        if self.folder is None:
            return "nothing is saved without --out"
        state = read_checkpoint(self.folder.path)
        if state is None:
            return "no epoch was finished"
        epoch, batch = state["training"]["epoch"], state["training"]["batch"]
        where = f"epoch {epoch}" + (f" and {batch} steps" if batch else "")
        return f"{quoted(self.folder.path / 'checkpoint.pt')} is that of the last good moment, after {where}"

    def _memory(self):
        return _Memory(self.device) if self.device.type == "cuda" else nullcontext()


class _Memory:
    """Turns a full GPU into a MemoryError that says what would do."""

    def __init__(self, device):
        self._device = device

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None and issubclass(kind, torch.OutOfMemoryError):
            raise MemoryError(
                f"on {self._device}; a smaller --batch or --channels, or --amp, may do"
            ) from None


class Reopened:
    """What a run has learned, from its folder: the method with its trained supernet, and validation batches.

    `optimizer`, `settings`, `config`; `device`; `train_count`, `val_count`: images of each half; `scorer`: what the
    benchmark says of cells; `final_cell`: what the method concluded, or would choose now where the run is not complete
    (`complete` says which).
    """

    def __init__(self, settings, config, feed, scorer, training, cell):
        self.settings, self.config, self.scorer = settings, config, scorer
        self.optimizer, self.device = training.optimizer, training.device
        self.train_count, self.val_count = len(feed.train_indices), len(feed.val_indices)
        self.complete = cell is not None
        self.epoch = training.epoch
        self.final_cell = cell or space_of(settings.space).cell(self.optimizer.get_final_architecture())
        self._feed = feed

    def val_loader(self, batch=None):
        """The validation half in batches (images, labels), not augmented; the same each time it is gone through.

        `batch`: images in each; None: as the search had it.
        """
        return self._feed.evaluation(self.config.batch if batch is None else batch, self.device)


def reopen(path, device="cpu", store=None, folder=None):
    """The run in a folder as its last checkpoint has it, to look at: a Reopened. Another process may be writing it.

    RunFolderError where there is no checkpoint, or it is damaged; ConfigError where data set or table are others now.
    """
    record = read_config(path)
    settings, config, recorded = _settings_in(record, path)
    places = recorded.updated(device=device, store=store, folder=folder)
    device = places.torch_device()
    state = read_checkpoint(path)
    if state is None:
        raise RunFolderError(f"{path} has no checkpoint.pt: its first epoch has not ended")
    scorer = _scorer_of(record, settings, places, path)
    feed = _feed(settings, config, places)
    _same_images(feed, record, settings, path)
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        training = _training(settings, config, feed, device)
        _, cell = _load(training, state, path)
    return Reopened(settings, config, feed, scorer, training, cell)


def _training(settings, config, feed, device):
    """A search before its first step, by the random numbers of its seed."""
    torch.default_generator.manual_seed(settings.seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(settings.seed)
    space = space_of(settings.space)
    optimizer = method_of(settings.method)(config, amp=settings.amp)
    optimizer.adapt_search_space(space.build(feed.classes, settings.channels, settings.cells), device=device)
    train, val = feed.halves(config.batch, device)
    return Training(optimizer, train, val, space.edges(optimizer.graph))


def _load(training, state, path):
    """Put a Training where a checkpoint was; returns where its log ended, and the cell, if it had concluded."""
    try:
        training.load_state_dict(state["training"])
        cell = state["cell"]
        return int(state["log"]), None if cell is None else Cell.from_string(cell)
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError, NASBenchError) as error:
        reason = (str(error).splitlines() or ["?"])[0]
        raise RunFolderError(
            f"{path}/checkpoint.pt is not of this run, or of another version: {reason}"
        ) from None


def _feed(settings, config, places):
    feed = Feed(settings.dataset, settings.seed, settings.split_list, places.folder, places.download)
    height, width = feed.size
    least = 2 ** space_of(settings.space).halvings
    if height % least or width % least:
        raise ConfigError(
            f"images of {settings.space} have sides that are multiples of {least}, as it halves them; those of"
            f" {settings.dataset} are of {width}x{height}"
        )
    for count in (len(feed.train_indices), len(feed.val_indices)):
        if config.batch > count:
            raise ConfigError(
                f"a batch of {config.batch} is more than a half of {settings.dataset} has; --batch {count} would do"
            )
    return feed


def _check_board(tensorboard, out):
    if tensorboard:
        if out is None:
            raise ConfigError("--tensorboard writes to the run's folder; --out names it")
        board.check()


def _record(settings, config, places, feed, scorer):
    """What a run's config.json holds."""
    return {
        "search": asdict(settings),
        "config": asdict(config),
        "places": places.record(),
        "data": feed.facts(),
        "table": scorer.table,
        "versions": {
            "nas-toolkit": __version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": sys.version.split()[0],
        },
        "created": utc_now(),
    }


def _settings_in(record, path):
    """The settings, the method's and the places in a run's config.json."""
    try:
        settings = SearchSettings(**record["search"])
        config = method_of(settings.method).config_class(**record["config"])
        places = Places(**record["places"])
        for part in ("data", "table"):
            if not isinstance(record[part], dict):
                raise TypeError(f"{part} is not an object")
    except (KeyError, TypeError, ValueError, AttributeError, OneShotError, NASBenchError) as error:
        raise RunFolderError(f"{path}/config.json is damaged or of another version: {error}") from None
    return settings, config, places


def _agree(given, recorded):
    for name, value in (given or {}).items():
        if value != recorded[name]:
            raise ConfigError(
                f"--{name.replace('_', '-')} {value} is not the run's, {recorded[name]}; {_MAY_DIFFER}"
            )


def _scorer_of(record, settings, places, path):
    """The table that a run was begun with."""
    try:
        scorer = Scorer(settings.dataset, places.store)
    except StoreError as error:
        raise RunFolderError(f"the table of {path} cannot be opened; --store names it: {error}") from None
    if scorer.table["checksum"] != record["table"].get("checksum"):
        raise ConfigError(
            f"{path} was begun with another table than {scorer.bench.store.path}; name it with --store"
        )
    return scorer


def _same_images(feed, record, settings, path):
    """ConfigError unless the data set is what a run was begun with."""
    for name, value in feed.facts().items():
        before = record["data"].get(name)
        if value != before:
            differs = "other images or labels" if name == "sha256" else f"{name} {value}, not {before}"
            raise ConfigError(
                f"{settings.dataset} is not what {path} was begun with: {differs}; --folder names it"
            )
