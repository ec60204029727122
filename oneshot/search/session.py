"""A search from its beginning, or from where a run stopped, to its end."""

import io
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from nasbench.runs.files import quoted
from nasbench.runs.progress import tracked
from oneshot.draw.render import check as check_pictures
from oneshot.errors import ConfigError, DivergedError, MissingDependencyError, RunFolderError
from oneshot.methods.registry import method_of
from oneshot.search import pictures
from oneshot.search.assemble import feed_of, memory_of, restore, training_of
from oneshot.search.record import SEARCH, agree, record_of, same_images, scorer_of, settings_in
from oneshot.search.report import Scorer, summarize, unscored
from oneshot.search.settings import Places, SearchSettings, config_of
from oneshot.spaces.registry import space_of
from oneshot.training import tensorboard as board
from oneshot.training.folder import RunFolder, check_new, read_checkpoint, read_config, read_log
from oneshot.training.progress import Bar


@dataclass(frozen=True)
class Result:
    """What a search found."""

    architecture: object  # of the space; chosen by the method, or the present choice of one that was stopped
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

    >>> from oneshot.methods.darts import DARTSConfig
    >>> result = search(SearchSettings(channels=2), DARTSConfig(epochs=1, batch=256))
    >>> result.complete, len(result.log), result.log[0]["arch"] == str(result.architecture)
    (True, 1, True)

    `settings`: SearchSettings; `config`: of the method; `out`: a new folder to save the run in; `places`:
    Places; `stop()`: asked after each step, a true answer ends the search, saved so that `resume` goes on
    exactly there.

    The process's random numbers stay as they were. Equal settings give equal results, bit for bit on a CPU
    with as many threads.
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
    """A search that can be stopped: `begin` or `resume` it, then in a `with` call `train`, and `finish`."""

    def __init__(self, settings, config, places, feed, scorer, folder=None, tensorboard=False):
        self.settings, self.config, self.feed, self.scorer = settings, config, feed, scorer
        self.device = places.torch_device()
        self.folder = folder
        self.training = self.optimizer = None  # within the `with`
        self.log = []
        self._space = space_of(settings.space)
        self._tensorboard = tensorboard
        self._architecture = None  # once the method has concluded
        self._concluding = 0.0  # seconds that took
        self._board = None
        self._closing = ExitStack()

    @classmethod
    def begin(cls, settings=None, config=None, out=None, *, places=None, tensorboard=False):
        """A new search; with `out`, its folder is made."""
        settings = SearchSettings() if settings is None else settings
        places = Places() if places is None else places
        kind = method_of(settings.method).config_class
        config = config_of(settings) if config is None else config
        if type(config) is not kind:
            raise ConfigError(
                f"{settings.method} is configured by {kind.__name__}, got {type(config).__name__}"
            )
        board.check_asked(tensorboard, out)
        device = places.torch_device()
        if out is not None:
            check_new(out)
        scorer = Scorer(settings.dataset, places.store) if space_of(settings.space).in_benchmark else None
        feed = feed_of(settings, config, places)
        folder = None
        if out is not None:
            places = replace(places, device=str(device))
            folder = RunFolder.create(out, record_of(settings, config, places, feed, scorer), SEARCH)
        return cls(settings, config, places, feed, scorer, folder, tensorboard)

    @classmethod
    def resume(cls, path, *, places=None, settings=None, config=None, tensorboard=False):
        """A run to go on with; `places`: those that differ now; `settings`, `config`: what has to agree."""
        folder = RunFolder.reopen(path, SEARCH)
        try:
            record = read_config(path, SEARCH)
            ours, method, recorded = settings_in(record, path)
            agree(settings or {}, asdict(ours))
            agree(config or {}, asdict(method))
            board.check_asked(tensorboard, path)
            asked = recorded.updated(**(places or {}))
            asked.torch_device()
            scorer = scorer_of(record, ours, asked, path)
            feed = feed_of(ours, method, asked)
            same_images(feed, record, ours, path)
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
            with memory_of(self.device):
                self.training = training_of(self.settings, self.config, self.feed, self.device)
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
            with Bar(self.training, self.optimizer.name, progress) as bar, memory_of(self.device):
                done = self.training.run(
                    stop or (lambda: False), lambda training: bar.look(training, images), self._after_epoch
                )
                bar.finish(self.training)
                if not done:
                    self.training.check()
                    self._save()
        except DivergedError as error:
            raise DivergedError(f"{error}; {self._kept()}; a lower --learning-rate may do") from None

    def finish(self, conclude=True):
        """Let the method conclude where all epochs are done, evaluate, and report: a Result.

        Without `conclude`, just report, as of a search that is not complete.
        """
        with memory_of(self.device):
            training, batches = self.training, None
            complete = conclude and training.epoch == training.epochs
            if complete:
                batches = self.feed.evaluation(self.config.batch, self.device)
                if self._architecture is None:
                    begin = time.perf_counter()
                    self.optimizer.conclude(batches, self._progress)
                    self._architecture = self._chosen()
                    self._concluding = time.perf_counter() - begin
                    self._save()
            found = self._architecture or self._chosen()
            mixed = alone = None
            if complete:
                if not self.optimizer.draws:  # else it is another path each time
                    mixed = self.optimizer.evaluate(batches)
                with self._space.fixed_path(self.optimizer.graph, found):
                    alone = self.optimizer.evaluate(batches)
            summary = summarize(
                self.optimizer.name,
                asdict(self.settings),
                asdict(self.config),
                training,
                self._space,
                found,
                self.scorer,
                complete,
                mixed,
                alone,
            )
        drawn, note = self._write(summary, found, complete)
        images = len(self.feed.train_indices), len(self.feed.val_indices)
        seconds = sum(row["seconds"] for row in self.log) + training.seconds + self._concluding
        return Result(found, summary, self.log, self.optimizer, images, seconds, drawn, note)

    def _progress(self, items, unit):
        return tracked(items, self.optimizer.name, unit, len(items))

    def _chosen(self):
        """The architecture that the method would choose now."""
        with self.optimizer.as_chosen() as graph:
            return self._space.architecture(graph)

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
            **self._scored(self._chosen()),
            "images_per_second": epoch.images_per_second,
            "seconds": epoch.seconds,
        }
        self.log.append(row)
        if self.folder is not None:
            self.folder.append(row)
            self._save()
        if self._board is not None:
            self._board.add(row)

    def _scored(self, architecture):
        """An architecture's columns of the log."""
        return unscored(architecture) if self.scorer is None else self.scorer.row(architecture)

    # Saved, and loaded

    def _save(self):
        if self.folder is not None:
            architecture = self._architecture and str(self._architecture)
            training = self.training.state_dict()
            self.folder.write_checkpoint(
                {
                    "training": training,
                    "log": self.folder.position,
                    "architecture": architecture,
                    "concluding": self._concluding,
                }
            )

    def _load(self):
        folder = self.folder
        state = read_checkpoint(folder.path)
        if state is None:
            rows = len(read_log(folder.path, SEARCH))
            if rows > 1:  # one is written before the first checkpoint
                raise RunFolderError(
                    f"{folder.path} has no checkpoint.pt, though its log has {rows:,} epochs"
                )
            folder.cut(None, 0)
            return
        position, found, self._concluding = restore(self.training, self._space, state, folder.path)
        folder.cut(position, self.training.epoch)
        self.log = read_log(folder.path, SEARCH)
        self._architecture = found

    def _write(self, summary, found, complete):
        """Save what a search found; returns the names of the pictures, and why there are none."""
        if self.folder is None:
            return (), None
        alphas = self._alphas()
        if alphas is not None:
            data, most = io.BytesIO(), alphas.values.shape[2]
            operations = [[*names, *[""] * (most - len(names))] for names in alphas.operations]
            np.savez(data, alphas=alphas.values, edges=alphas.edges, operations=operations)
            self.folder.replace("alphas.npz", data.getbuffer())
        drawn, note = (), None
        if complete:
            title = f"{self.optimizer.name} on {Path(self.settings.dataset).name}, seed {self.settings.seed}"
            try:
                check_pictures()
                diagrams = self._space.diagrams(found)
                drawn = pictures.draw_all(
                    self.folder, title, diagrams, self.log, self._scored(found), self.scorer, alphas
                )
            except MissingDependencyError as error:
                note = f"no pictures: {error}"
        self.folder.write_summary(summary)  # last: with it, the run is done
        return drawn, note

    def _alphas(self):
        """What the method learned of each edge, for files and pictures; None where it learns nothing."""
        values, edges = self.training.strengths(), self._space.edges(self.optimizer.graph)
        if values is None:
            return None
        chosen = self.optimizer.choices(edges.values())
        return pictures.Alphas(values.numpy(), list(edges), list(map(self._space.candidates, edges)), chosen)

    def _kept(self):
        if self.folder is None:
            return "nothing is saved without --out"
        state = read_checkpoint(self.folder.path)
        if state is None:
            return "no epoch was finished"
        epoch, batch = state["training"]["epoch"], state["training"]["batch"]
        where = f"epoch {epoch}" + (f" and {batch} steps" if batch else "")
        return f"{quoted(self.folder.path / 'checkpoint.pt')} is that of the last good moment, after {where}"
