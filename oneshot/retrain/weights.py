"""The files of a retraining: its record in config.json, and the weights that are kept."""

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
        "train_loss": float,  # of the main classifier alone, as the next
        "train_accuracy": float,
        "test_loss": float,  # this and the next ones of the validation half, with split half
        "top1": float,
        "top5": float,
        "ema_top1": float,
        "ema_top5": float,
        "learning_rate": float,
        "drop_path": float,
        "images_per_second": float,  # this and the next depend on the machine
        "seconds": float,
    }
)
RETRAINING = RunKind(RETRAINING_LOG.header, stage="retraining", sync=True)
_OPTIONAL = ("split_list", "protocol", "ema")  # settings that a run may lack
BEST, LAST = "best.pt", "last.pt"


def parse_record(
    record: Mapping[str, Any], path: str | Path
) -> tuple[Architecture, RetrainSettings, Environment]:
    """Return the architecture, the settings and the environment in a run's config.json."""
    with refusing(f"{path}/config.json is not that of a retraining, damaged, or of another version"):
        settings = RetrainSettings.from_json(record["settings"], "settings")
        left = [name for name, value in settings.to_json().items() if value is None and name not in _OPTIONAL]
        if left:
            raise TypeError(f"{', '.join(left)} not given")
        environment = Environment.from_json(record["places"], "places")
        for name, kind in (("data", dict), ("processes", int)):
            if not isinstance(record[name], kind):
                raise TypeError(f"{name} is {record[name]!r}")
        architecture = record["architecture"]
    return Architecture.from_record(architecture, Path(path) / "config.json"), settings, environment


def load_network(path: str | Path, classes: int | None = None, average: bool = False) -> Graph:
    """Load the trained network in a best.pt or last.pt, in evaluation mode on the CPU.

    Parameters
    ----------
    path
        A file that a retraining wrote.
    classes
        The number of classes that it has to have; None for any.
    average
        Whether to load the moving average of its weights.

    Raises
    ------
    ConfigError
        If the network has another number of classes, or the file no moving average.
    RunFolderError
        If the file is missing or damaged.
    """
    state = read_tensors(path)
    if state is None:
        raise RunFolderError(f"there is no {path}; a retraining writes {BEST} and {LAST} to its folder")
    try:
        if classes is not None and state["classes"] != classes:
            raise ConfigError(f"{path} is of a network for {state['classes']} classes, not {classes}")
        architecture = Architecture.from_record(state["architecture"], path)
        if average and state["average"] is None:
            raise ConfigError(f"{path} has no moving average of weights; --ema keeps one")
        sizes = (state[name] for name in ("classes", "channels", "cells", "auxiliary"))
        network = get_space(architecture.space).network(architecture.value, *sizes)
        network.load_state_dict(state["average" if average else "weights"])
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        if isinstance(error, (OneShotError, NASBenchError)):
            raise
        raise RunFolderError(f"{path} is damaged, or of another version: {one_line(error)}") from None
    return network.eval()
