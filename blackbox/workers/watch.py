"""What a person sees of a search by workers while it goes on, and how they stop it."""

import sys

from nasbench.runs.command import complain


class Watch:
    """A progress bar on a terminal, a line when there are no workers; `look` says whether Ctrl-C came."""

    def __init__(self, name, tasks, evals, interrupt):
        self._name = name
        self._tasks = tasks
        self._evals = evals
        self._interrupt = interrupt
        self._bar = None
        self._is_waiting = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def look(self, out, workers):
        """Whether to stop; so many evaluations are out, at so many workers."""
        if self._bar is None:
            from tqdm import tqdm

            hidden = None if sys.stderr else True  # None: hidden unless it is a terminal
            self._bar = tqdm(total=self._evals, desc=self._name, unit=" evaluations", disable=hidden)
        if not workers and not self._is_waiting:
            complain("note: there are no workers; waiting for some")
        self._is_waiting = not workers
        if not self._bar.disable:
            self._bar.set_postfix_str(self._state(out, workers), refresh=False)
        self._bar.update(len(self._tasks) - self._bar.n)
        self._bar.refresh()
        return self._interrupt.came

    def _state(self, out, workers):
        best = self._tasks.best() if len(self._tasks) else None
        score = "" if best is None else f", best {best.score:.4g}"
        return f"{out} at {workers} worker{'' if workers == 1 else 's'}{score}"
