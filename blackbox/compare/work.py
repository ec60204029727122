"""The tasks of a comparison, as a process does them: parts of runs, and runs made of their parts."""

import json
import shutil
import time
from functools import cache, cached_property

from blackbox.cli import record_of
from blackbox.compare.evaluations import Evaluations
from blackbox.compare.simulations import Simulations
from blackbox.compare.study import Trials
from blackbox.errors import RunFolderError
from blackbox.folder import RunFolder
from blackbox.kinds.reader import gives, read_run
from nasbench.benchmark import open_benchmark

_INTERVAL = 1.0  # seconds between looks at a log


class Watch:
    """What a task says while it goes on, and hears: `shares[place]` is how far it is, `stop[0]` its end."""

    def __init__(self, shares, stop, place):
        self._shares = shares
        self._stop = stop
        self._place = place
        self._next = time.monotonic() + _INTERVAL

    @property
    def stopped(self):
        return bool(self._stop[0])

    def tell(self, share):
        self._shares[self._place] = share

    def is_time(self):
        """Whether a look at the log is due."""
        if time.monotonic() < self._next:
            return False
        self._next = time.monotonic() + _INTERVAL
        return True


class Worker:
    """Does the tasks of a Study."""

    def __init__(self, study):
        self._study = study
        self._trials_of = cache(self._make)

    def part(self, part, watch):
        """Do a Part: (evaluations of each trial, Trials); Trials only where nothing is saved.

        None where it was stopped.
        """
        study, trials = self._study, self._trials_of(part.number)
        if study.folder is None:
            history = trials.evaluate(part, None, watch)
        else:
            with RunFolder.log_alone(study.part_folder(part), trials.header, study.folder) as log:
                history = trials.evaluate(part, log, watch)
        if history is None:
            return None
        watch.tell(1.0)
        return len(history), Trials.of(history, study.settings.budget) if study.folder is None else None

    def whole(self, number):
        """The Trials of an algorithm, whose run is made of its parts, or made already."""
        study = self._study
        out, parts_folder = study.run_folder(number), study.parts_folder(number)
        try:
            history = self._made(out, number) if out.exists() else self._join(out, number)
            if parts_folder.exists():
                shutil.rmtree(parts_folder)
        except RunFolderError:
            raise
        except OSError as error:
            raise RunFolderError(f"cannot write {out}: {error.strerror}") from None
        return Trials.of(history, study.settings.budget)

    @cached_property
    def _bench(self):
        return open_benchmark(self._study.store, self._study.settings.space)

    def _make(self, number):
        spec = self._study.specs[number]
        kind = Simulations if spec.by_jobs else Evaluations
        return kind(spec, spec.settings(self._study.settings), self._bench)

    def _record(self, number):
        """What the run's config.json is to hold."""
        study, spec = self._study, self._study.specs[number]
        settings = spec.settings(study.settings)
        record = record_of(spec.search_class.name, spec.config, settings, study.store, self._bench)
        return record | {"created": study.created}

    def _join(self, out, number):
        """The history of a run, made of its parts and put in its place when it is whole."""
        study, trials = self._study, self._trials_of(number)
        new = study.parts_folder(number) / "whole"
        if new.exists():  # an earlier process was killed on the way
            shutil.rmtree(new)
        parts = [part for part in study.parts if part.number == number]
        record = self._record(number)
        with RunFolder.create(new, record, header=trials.header, parents=False) as folder:
            logs = [study.part_folder(part) / "log.csv" for part in parts]
            history = trials.join(folder, logs, parts)
            folder.write_summary(trials.summary(history))
        new.rename(out)
        return history

    def _made(self, out, number):
        """The history of a run in its place, once it is the one that belongs there."""
        found, record = read_run(out), json.loads(json.dumps(self._record(number)))
        same = all(found.record[name] == record[name] for name in ("algorithm", "search"))
        same = same and found.settings == self._study.specs[number].settings(self._study.settings)
        same = same and gives(self._bench, found)
        if not (same and found.complete):
            raise RunFolderError(f"{out} is not the run of this comparison, or not complete: move it away")
        return found.history
