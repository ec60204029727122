"""The files of a retraining: its record in config.json, and files of weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nasbench.errors import NASBenchError, one_line
from nasbench.runs.folder import RunKind
from nasbench.runs.log import Columns
from oneshot.errors import ConfigError, OneShotError, RunFolderError
from oneshot.graph.graph import Graph
from oneshot.retrain.settings import RetrainSettings
from oneshot.spaces.architectures import Architecture
from oneshot.spaces.registry import get_space
from oneshot.training.checkpoints import read_tensors, refusing
from oneshot.training.environment import Environment

RETRAINING_LOG = Columns(
    {
        "epoch": int,
        "train_loss": float,  # this and the next column: main classifier only
        "train_accuracy": float,
        "test_loss": float,  # this and the next four columns: with --split half on the validation half
        "top1": float,
        "top5": float,
        "ema_top1": float,
        "ema_top5": float,
        "learning_rate": float,
        "drop_path": float,
        "images_per_second": float,  # this and the next column depend on the machine
        "seconds": float,
    }
)
RETRAINING = RunKind(RETRAINING_LOG.header, stage="retraining", sync=True)
_OPTIONAL = ("split_list", "protocol", "ema")  # settings that can be None in a run
BEST, LAST = "best.pt", "last.pt"


def parse_record(
    record: Mapping[str, Any], path: str | Path
) -> tuple[Architecture, RetrainSettings, Environment]:
    """Return the architecture, settings and environment in a run's config.json."""
    with refusing(f"{path}/config.json is damaged, of another version or not of a retraining"):
        settings = RetrainSettings.from_json(record["settings"], "settings")
        values = settings.to_json().items()
        missing = [name for name, value in values if value is None and name not in _OPTIONAL]
        if missing:
            raise TypeError(f"{', '.join(missing)} not given")
        environment = Environment.from_json(record["places"], "places")
        for name, kind in (("data", dict), ("processes", int)):
            if not isinstance(record[name], kind):
                raise TypeError(f"{name} is {record[name]!r}")
        architecture = record["architecture"]
    return Architecture.from_record(architecture, Path(path) / "config.json"), settings, environment


def load_network(path: str | Path, classes: int | None = None, average: bool = False) -> Graph:
    """Load the trained network from a retraining's best.pt or last.pt.

    Parameters
    ----------
    path
        Path of the file.
    classes
        Number of classes that the network must have; None for any.
    average
        Whether to load the moving average of the weights.

    Returns
    -------
    Graph
        The network, in evaluation mode on the CPU.

    Raises
    ------
    ConfigError
        If the network has another number of classes, or the file has no moving average.
    RunFolderError
        If the file is missing or damaged.
    """
    state = read_tensors(path)
    if state is None:
        raise RunFolderError(f"{path} does not exist; a retraining writes {BEST} and {LAST} to its folder")
    try:
        if classes is not None and state["classes"] != classes:
            raise ConfigError(f"{path} has a network for {state['classes']} classes, not {classes}")
        architecture = Architecture.from_record(state["architecture"], path)
        if average and state["average"] is None:
            raise ConfigError(f"{path} has no moving average of weights; --ema keeps one")
        sizes = (state[name] for name in ("classes", "channels", "cells", "auxiliary"))
        network = get_space(architecture.space).network(architecture.value, *sizes)
        network.load_state_dict(state["average" if average else "weights"])
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        if isinstance(error, (OneShotError, NASBenchError)):
            raise
        raise RunFolderError(f"{path} is damaged or of another version: {one_line(error)}") from None
    return network.eval()
