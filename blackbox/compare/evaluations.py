"""Trials of a search that evaluates cells whole: some of them at a time, and all of them as one run."""

from dataclasses import replace
from itertools import islice

import numpy as np

from blackbox.cli import check_history, summary_of
from blackbox.folder import header_of, parse_log
from blackbox.search.history import History
from blackbox.search.loop import run
from blackbox.search.space import space_of_table

_STEPS = 100  # whose rows are written at once


class Evaluations:
    """The trials of a Spec on the table of a Benchmark; `settings`: a RunConfig."""

    header = header_of(1)

    def __init__(self, spec, settings, bench):
        self._spec = spec
        self._settings = settings
        self._bench = bench
        self._space = space_of_table(bench.space)

    def evaluate(self, part, log, watch):
        """The History of a Part, which goes on with its log, if there is one; None where it was stopped."""
        settings = self._settings
        objective = settings.objective(self._bench, part.trials)
        search = self._search(part.trials)
        if log is not None:
            history = log.read_history(part.trials, self._bench.space.official_order())
            most = settings.evals if part.steps is None else part.steps
            check_history(log.path, history, search, objective, replace(settings, evals=most))
            objective.skip(len(history))
            search = self._search(part.trials, history)
        history = search.history
        evals, budget = settings.evals, settings.budget
        if part.steps is not None:
            evals, budget = part.steps, None

        def save():
            if log is not None:
                log.append(history, self._bench.space.official_index(), part.trials)

        def look():
            if watch.is_time():
                save()
                watch.tell(
                    max(
                        len(history) / evals if evals else 0.0,
                        history.spent().mean() / budget if budget else 0.0,
                    )
                )
            return watch.stopped

        cost = objective.cost if objective.has_cost else None
        run(search, objective, evals, cost=cost, budget=budget, after_step=look)
        save()
        return None if watch.stopped else history

    def join(self, folder, logs, parts):
        """Write the rows of the Parts' logs to the RunFolder of all trials; their History."""
        files = [open(path, "rb") for path in logs]  # noqa: SIM115 - closed below
        try:
            for file in files:
                file.readline()  # the header
            sizes = [len(part.trials) for part in parts]
            while lines := [
                line
                for _ in range(_STEPS)
                for file, size in zip(files, sizes, strict=True)
                for line in islice(file, size)
            ]:
                folder.append_rows(b"".join(lines))
        finally:
            for file in files:
                file.close()
        order = self._bench.space.official_order()
        histories = [
            parse_log(path.read_bytes(), path, part.trials, order)[0]
            for path, part in zip(logs, parts, strict=True)
        ]
        history = History(self._settings.trials)
        columns = ((h.codes, h.scores, h.costs) for h in histories)
        history.extend(*map(np.concatenate, zip(*columns, strict=True)))
        return history

    def summary(self, history):
        """What its summary.json is to hold."""
        objective = self._settings.objective(self._bench)
        spec = self._spec
        return summary_of(spec.search_class, spec.config, self._settings, history, objective, self._bench)

    def _search(self, trials, history=None):
        spec = self._spec
        return spec.search_class(self._space, spec.config, trials, self._settings.seed, history)
