"""The tasks of a comparison, as a process does them: parts of runs, and runs made of their parts."""

import json
import shutil
import time
from contextlib import ExitStack
from functools import cache, cached_property

from blackbox.cli import record_of
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
        self._experiment = cache(self._make)

    def part(self, part, watch):
        """Do a Part: (evaluations of each trial, Trajectories); Trajectories only if nothing is saved.

        None if it was stopped.
        """
        study, experiment = self._study, self._experiment(part.number)
        driver = experiment.kind.driver(experiment, part.trials, part.steps)

        def stop():
            if watch.is_time():
                driver.save()
                watch.tell(driver.share)
            return watch.stopped

        with ExitStack() as stack:
            if study.folder is not None:
                path, header = study.part_folder(part), driver.log.header
                driver.resume(stack.enter_context(RunFolder.log_alone(path, header, study.folder)))
            if not driver.advance(stop):
                driver.save()
                return None
            driver.save()
        watch.tell(1.0)
        history = driver.history
        kept = None if study.folder is not None else self._trajectories(part.number, history)
        return len(history), kept

    def whole(self, number):
        """The Trajectories of an algorithm, whose run is made of its parts, or made already."""
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
        return self._trajectories(number, history)

    @cached_property
    def _bench(self):
        return open_benchmark(self._study.store, self._study.settings.space)

    def _make(self, number):
        return self._study.specs[number].experiment(self._study.settings, self._bench)

    def _trajectories(self, number, history):
        return self._experiment(number).kind.trajectories(history, self._study.settings.budget)

    def _record(self, number):
        """What the run's config.json is to hold."""
        return record_of(self._experiment(number), self._study.store) | {"created": self._study.created}

    def _join(self, out, number):
        """The history of a run, made of its parts and moved into place when it is complete."""
        study, experiment = self._study, self._experiment(number)
        kind, new = experiment.kind, study.parts_folder(number) / "whole"
        if new.exists():  # an earlier process was killed on the way
            shutil.rmtree(new)
        parts = [part for part in study.parts if part.number == number]
        log = kind.log(experiment.settings, self._bench.space)
        with RunFolder.create(new, self._record(number), log.header, parents=False) as folder:
            logs = [study.part_folder(part) / "log.csv" for part in parts]
            for rows in log.join(logs, [len(part.trials) for part in parts]):
                folder.append_rows(rows)
            history = log.decode(folder.read_log(), new / "log.csv")
            folder.write_summary(kind.result(experiment, history, complete=True).to_json())
        new.rename(out)
        return history

    def _made(self, out, number):
        """The history of a run in its place, once it is the one that belongs there."""
        found, record = read_run(out), json.loads(json.dumps(self._record(number)))
        same = all(found.record[name] == record[name] for name in ("algorithm", "search"))
        same = same and found.settings == self._experiment(number).settings
        same = same and gives(self._bench, found)
        if not (same and found.complete):
            raise RunFolderError(f"{out} is not the run of this comparison, or not complete: move it away")
        return found.history
