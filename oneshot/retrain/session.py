"""A retraining from its beginning, or from where a run stopped, to its end."""

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from nasbench.runs.files import quoted
from oneshot.cost import cost_of
from oneshot.draw.render import check as check_pictures
from oneshot.errors import DivergedError, MissingDependencyError, RunFolderError
from oneshot.retrain import pictures
from oneshot.retrain.assemble import job_of, new_job, training_of
from oneshot.retrain.benchmark import entry_of
from oneshot.retrain.memory import is_out_of_memory, largest_batch
from oneshot.retrain.report import summarize
from oneshot.retrain.settings import RetrainSettings
from oneshot.retrain.weights import BEST, LAST, RETRAINING, kept, record_of
from oneshot.search.assemble import restoring
from oneshot.search.settings import Places
from oneshot.spaces.architectures import Architecture
from oneshot.training import tensorboard as board
from oneshot.training.distributed import Group
from oneshot.training.folder import RunFolder, check_new, read_checkpoint, read_log
from oneshot.training.progress import Bar


@dataclass(frozen=True)
class Result:
    """What a retraining gave."""

    architecture: Architecture
    summary: dict  # as in summary.json
    log: list  # a row an epoch, {column: value or None}
    network: object  # the trained Graph, in evaluation mode
    seconds: float  # that the epochs took
    pictures: tuple = ()  # files in the run's folder
    note: str | None = None  # why there are none

    @property
    def complete(self):
        return self.summary["complete"]

    @property
    def top1(self):
        """Percent of the images tested that the network is right on after its last epoch."""
        return self.summary["result"]["top1"]


def retrain(architecture, settings=None, out=None, *, places=None, stop=None, tensorboard=False):
    """Train the network of an architecture from scratch and test it; a Result.

    >>> result = retrain("6111", RetrainSettings(channels=2, epochs=2, batch=128))
    >>> result.complete, len(result.log), result.log[-1]["top1"] == result.top1
    (True, 2, True)

    `architecture`: an Architecture, a text of one, or the folder of a finished search; `settings`:
    RetrainSettings; `out`: a new folder to save the run in; `places`: Places; `stop()`: asked after each
    step, a true answer ends the training, saved so that `resume` goes on exactly there.

    The process's random numbers stay as they were. Equal settings give equal results, bit for bit on a CPU
    with as many threads. Several processes, in `group.joined`, all call this alike.
    """
    with Session.begin(architecture, settings, out, places=places, tensorboard=tensorboard) as session:
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
    """A retraining that can be stopped: `begin` or `resume` it, then in a `with` call `train`, and `finish`.

    Of several processes all do so alike; the first one writes.
    """

    def __init__(self, job, group, path=None, folder=None, tensorboard=False):
        """`path`: of the run's folder; `folder`: its RunFolder, in the process that writes."""
        self.job, self.group, self.path = job, group, path
        self.device = group.device(job.places.device)
        self.training = None  # within the `with`
        self.log = []
        self._folder = folder
        self._tensorboard = tensorboard and group.leads
        self._board = self._cost = None
        self._closing = ExitStack()

    @classmethod
    def begin(cls, architecture, settings=None, out=None, *, places=None, tensorboard=False):
        """A new retraining; with `out`, its folder is made."""
        group = Group.present()
        settings = RetrainSettings() if settings is None else settings
        places = Places() if places is None else places

        def job():
            board.check_asked(tensorboard, out)
            if out is not None and group.leads:
                check_new(out)
            return new_job(architecture, settings, places, group)

        def folder():
            if out is None or not group.leads:
                return None
            device = group.device(places.device)
            named = replace(places, device=str(device) if group.size == 1 else device.type)
            return RunFolder.create(out, record_of(job, named, group), RETRAINING)

        job = group.first(job)
        return cls(job, group, out and Path(out), group.together(folder), tensorboard)

    @classmethod
    def resume(cls, path, *, places=None, settings=None, architecture=None, tensorboard=False):
        """A run to go on with; `places`: those that differ now; the others: what has to agree."""
        group = Group.present()
        folder = group.together(lambda: RunFolder.reopen(path, RETRAINING) if group.leads else None)

        def job():
            board.check_asked(tensorboard, path)
            return job_of(path, architecture, settings or {}, places or {}, group)

        try:
            return cls(group.first(job), group, Path(path), folder, tensorboard)
        except BaseException:
            if folder is not None:
                folder.close()
            raise

    def __enter__(self):
        with ExitStack() as stack:
            if self._folder is not None:
                stack.enter_context(self._folder)
            cuda = [self.device] if self.device.type == "cuda" else []
            stack.enter_context(torch.random.fork_rng(cuda))
            self.training = training_of(self.job, self.group, self.device)
            self._cost = cost_of(self.training.network, (3, *self.job.feed.size))
            if self.path is not None:
                self.group.together(self._load)
            if self._tensorboard:
                self._board = board.Board(self.path / "tensorboard", self.training.epoch)
                stack.callback(self._board.close)
            self._closing = stack.pop_all()
        return self

    def __exit__(self, *_):
        self._closing.close()

    def train(self, stop=None, progress=False):
        """Go on to the last epoch, or until `stop()` is true after a step; what was reached is saved.

        DivergedError where a loss or a weight is no number any more; the last sound checkpoint is kept.
        MemoryError where the device has no room for a batch, with the batch that it has room for.
        """
        batch, full = self.job.settings.batch, False
        try:
            with Bar(self.training, self.job.settings.space, progress and self.group.leads) as bar:
                done = self.training.run(
                    stop or (lambda: False), lambda training: bar.look(training, batch), self._after_epoch
                )
                bar.finish(self.training)
            if not done:
                self.training.check()
                self._save()
        except DivergedError as error:
            raise DivergedError(f"{error}; {self._kept()}; a lower --learning-rate may do") from None
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            full = True  # and what the error holds on to is let go, before less is tried
        if full:
            raise MemoryError(self._what_fits())

    def finish(self):
        """Report, and write what there is to keep; a Result."""
        job, training = self.job, self.training
        entry = job.table and entry_of(job.table, job)
        summary = summarize(job, training, self._cost, self.log[-1] if self.log else None, entry)
        drawn, note = self._write(summary)
        seconds = sum(row["seconds"] for row in self.log) + training.seconds
        return Result(job.architecture, summary, self.log, training.network.eval(), seconds, drawn, note)

    def _after_epoch(self, epoch):
        row = {
            "epoch": epoch.number,
            "train_loss": epoch.train.loss,
            "train_accuracy": epoch.train.accuracy,
            "test_loss": epoch.test.loss,
            "top1": epoch.test.top1,
            "top5": epoch.test.top5,
            "ema_top1": epoch.average and epoch.average.top1,
            "ema_top5": epoch.average and epoch.average.top5,
            "learning_rate": epoch.learning_rate,
            "drop_path": epoch.drop_path,
            "images_per_second": epoch.images_per_second,
            "seconds": epoch.seconds,
        }
        self.log.append(row)
        if self._folder is not None:
            self._folder.append(row)
            if self.training.best[0] == epoch.number:
                self._keep(BEST)
        self._save()
        if self._board is not None:
            self._board.add(row)

    # Saved, and loaded

    def _save(self):
        if self.path is not None:
            state = self.training.state_dict()
            if self._folder is not None:
                self._folder.write_checkpoint({"training": state, "log": self._folder.position})

    def _keep(self, name):
        """Write the weights as they are now to a file of the folder."""
        self._folder.replace(name, kept(self.job, self.training, self.log[-1]["top1"]))

    def _load(self):
        state = read_checkpoint(self.path)
        if state is None:
            if self._folder is not None:
                rows = len(read_log(self.path, RETRAINING))
                if rows > 1:  # one is written before the first checkpoint
                    raise RunFolderError(
                        f"{self.path} has no checkpoint.pt, though its log has {rows:,} epochs"
                    )
                self._folder.cut(None, 0)
            return
        with restoring(self.path):
            self.training.load_state_dict(state["training"])
            position = int(state["log"])
        if self._folder is not None:
            self._folder.cut(position, self.training.epoch)
        self.log = read_log(self.path, RETRAINING)[: self.training.epoch]

    def _write(self, summary):
        """Save what the training gave; returns the names of the pictures, and why there are none."""
        if self._folder is None:
            return (), None
        drawn, note = (), None
        if summary["complete"]:
            self._keep(LAST)
        if self.log:
            settings = self.job.settings
            what = "test" if settings.split == "full" else "validation"
            title = f"{settings.space} on {Path(settings.dataset).name}, seed {settings.seed}"
            try:
                check_pictures()
                drawn = (pictures.draw_into(self._folder, title, self.log, what),)
            except MissingDependencyError as error:
                note = f"no pictures: {error}"
        self._folder.write_summary(summary)  # last: with it, the run is done
        return drawn, note

    def _kept(self):
        if self.path is None:
            return "nothing is saved without --out"
        state = read_checkpoint(self.path)
        if state is None:
            return "no epoch was finished"
        epoch, batch = state["training"]["epoch"], state["training"]["batch"]
        where = f"epoch {epoch}" + (f" and {batch} steps" if batch else "")
        return f"{quoted(self.path / 'checkpoint.pt')} is that of the last good moment, after {where}"

    def _what_fits(self):
        """What to say of a device that has no room for a batch."""
        batch = self.job.settings.batch
        if self.group.size > 1:  # others do not take part in trials
            return (
                f"on {self.device}, for its part of a batch of {batch}; a smaller --batch, or --amp, may do"
            )
        fits = largest_batch(self.training.try_batch, batch)
        if fits is None:
            return f"on {self.device}, not even for 2 images; a smaller --channels, or --amp, may do"
        return f"on {self.device}, for a batch of {batch}; --batch {fits} fits"
