"""Black-box search for the best cell in tabular benchmarks.

Each algorithm is a module and a command: `blackbox.re`, `blackbox.rs`, …; `blackbox.compare` runs several,
`blackbox.report` shows runs as a page. The public names below are imported when they are first used.

>>> from blackbox import NB201_SPACE, RegularizedEvolution, TableObjective, run
>>> from nasbench import NB201
>>> history = run(RegularizedEvolution(NB201_SPACE), TableObjective(NB201(), "cifar10", "val_accuracy"), 1000)
>>> history.scores.shape
(1, 1000)
"""

from importlib.util import find_spec
from os.path import dirname

# A package of the same name in the folder where a command runs, which is first on the path, would hide ours.
# The same check is in oneshot/__init__.py, because code that both could share may itself be hidden.
# With this `name`, `python -m` reports the error in one line.
_spec = find_spec("nasbench")
_origin = _spec.origin if _spec is not None else None
if _origin is None or dirname(dirname(_origin)) != dirname(dirname(__file__)):
    raise ImportError(
        f"{_origin or 'nothing'} is imported as the package nasbench, instead of nas-toolkit's own;"
        " rename it, or run the command in another folder",
        name=__name__,
    )

from nasbench.faces import lazy  # noqa: E402, only after the check

__all__, __getattr__ = lazy(__file__)
