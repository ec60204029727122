"""The settings of a retraining, and their defaults in its pipeline."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

from data.images import FOLDER, NAMES
from nasbench.runs.checks import bounded
from nasbench.runs.settings import SEEDS, option, whole
from oneshot.errors import ConfigError
from oneshot.retrain.pipelines import PIPELINES, PROTOCOLS, SMALLER, default_sizes, get_pipeline
from oneshot.spaces.base import MAXIMUM
from oneshot.spaces.registry import SPACES, space_of
from oneshot.training.images import SMALL, absolute_dataset

SPLITS = {
    "full": "all training images, tested on the test images",
    "half": "the half that a search trains weights on, tested on the half it validates on",
}
_SIDE = 32  # of the images that an auxiliary head is made for
_CELLS = 4  # at least, of a network with one
SMOKE = {"dataset": "digits", "epochs": 2, "batch": 128, "channels": 2}  # and cells as on the digits


def _by_space(name: str) -> str:
    """Return the default of an option, for the help."""
    usual = {space: getattr(pipeline, name) for space, pipeline in PIPELINES.items()}
    small = {space: SMALLER.get(name, value) for space, value in usual.items()}
    return _defaults(usual, small)


def _sizes_by_space(name: str) -> str:
    usual = {space: getattr(found.trained, name) for space, found in SPACES.items()}
    return _defaults(usual, {space: getattr(found.smaller, name) for space, found in SPACES.items()})


def _defaults(usual: Mapping[str, object], small: Mapping[str, object]) -> str:
    on_small = f"; on {' and '.join(SMALL)}: {_named(small)}" if small != usual else ""
    return f"(default: {_named(usual)}{on_small})"


def _named(values: Mapping[str, object]) -> str:
    if len(set(values.values())) == 1:
        return str(next(iter(values.values())))
    return ", ".join(f"{space} {value}" for space, value in values.items())


def _piped(name: str, help: str, type: Callable[[str], object]) -> Any:  # a field
    """Return an option whose default is the pipeline's."""
    return option(None, f"{help} {_by_space(name)}", type=type)


@dataclass(frozen=True)
class RetrainSettings:
    """How a network is trained from scratch; None: as the pipeline of its space has it.

    >>> settings, _ = RetrainSettings(dataset="cifar10").completed("darts", (32, 32))
    >>> settings.epochs, settings.cutout, settings.auxiliary_weight
    (600, 16, 0.4)
    """

    space: str | None = option(
        None, "that the architecture is to be of (default: the one it is of)", type=str, choices=tuple(SPACES)
    )
    dataset: str = option(
        "digits",
        f"{', '.join(NAMES)}, or {FOLDER}PATH for a tree of images, train/<class>/* and test/<class>/*",
    )
    split: str | None = option(
        None,
        "; ".join(f"{name}: {text}" for name, text in SPLITS.items()) + f" {_by_space('split')}",
        type=str,
        choices=tuple(SPLITS),
    )
    split_list: str | None = option(
        None,
        "the published halves of the test images of cifar100 or imagenet16-120, a file of AutoDL-Projects,"
        " for --split half (default: halves of our own)",
        type=str,
        metavar="FILE",
    )
    protocol: int | None = option(
        None,
        "epochs of the benchmark's training that this is to be like, nb201 alone (default: 200)",
        type=int,
        choices=PROTOCOLS["nb201"],
    )
    epochs: int | None = _piped("epochs", "passes over the training images", int)
    batch: int | None = _piped("batch", "images a step, of all processes together", int)
    learning_rate: float | None = _piped("learning_rate", "at first", float)
    learning_rate_min: float | None = _piped("learning_rate_min", "at the end of its cosine", float)
    momentum: float | None = _piped("momentum", "of SGD", float)
    weight_decay: float | None = _piped("weight_decay", "of all weights", float)
    grad_clip: float | None = _piped("grad_clip", "norm that gradients are clipped to, 0 for not", float)
    cutout: int | None = _piped(
        "cutout", "side of the square that is cut out of training images, pixels; 0: none", int
    )
    drop_path: float | None = _piped(
        "drop_path", "rate of paths dropped at the end, risen to linearly", float
    )
    auxiliary_weight: float | None = _piped(
        "auxiliary_weight", "of the loss of a second classifier amidst the network; 0: there is none", float
    )
    channels: int | None = option(
        None, f"of the network's first stage {_sizes_by_space('channels')}", type=int
    )
    cells: int | None = option(
        None, f"in the network; of each stage, in darts in all {_sizes_by_space('cells')}", type=int
    )
    seed: int = option(0, "of all that is drawn")
    ema: float | None = option(
        None, "decay of a moving average of the weights, a step, which is tested too", type=float
    )
    amp: bool = option(False, "compute in bfloat16 where that is safe; weights stay float32")
    compile: bool = option(False, "run the network through torch.compile; worth its minutes for a long run")
    local_bn: bool = option(
        False, "of several processes, each normalizes by its own part of the batch, not by all of it"
    )

    def __post_init__(self) -> None:
        if self.space is not None:
            space_of(self.space)
        object.__setattr__(self, "dataset", absolute_dataset(self.dataset))
        if self.split not in (None, *SPLITS):
            raise ConfigError(f"a split is {' or '.join(SPLITS)}, got {self.split!r}")
        if self.split_list is not None:
            if self.dataset not in ("cifar100", "imagenet16-120") or self.split == "full":
                raise ConfigError(
                    "split_list names halves of cifar100's or imagenet16-120's test images, for --split half,"
                    f" got {self.dataset}{' and --split full' if self.split == 'full' else ''}"
                )
            object.__setattr__(self, "split_list", os.path.abspath(os.path.expanduser(self.split_list)))
        for name, least in (("epochs", 1), ("batch", 2), ("cutout", 0), ("channels", 1), ("cells", 1)):
            if getattr(self, name) is not None:
                whole(name, getattr(self, name), least, MAXIMUM._asdict().get(name))
        whole("seed", self.seed, 0, SEEDS)
        for name in ("learning_rate", "learning_rate_min", "weight_decay", "grad_clip", "auxiliary_weight"):
            if getattr(self, name) is not None:
                bounded(name, getattr(self, name), **{"above" if name == "learning_rate" else "at_least": 0})
        for name in ("momentum", "drop_path", "ema"):
            if getattr(self, name) is not None:
                bounded(name, getattr(self, name), at_least=0)
                if getattr(self, name) >= 1:
                    raise ConfigError(f"{name} is below 1, got {getattr(self, name)}")
        if None not in (self.learning_rate, self.learning_rate_min):
            self._check_rates()
        for name in ("amp", "compile", "local_bn"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(f"{name} is true or false, got {getattr(self, name)!r}")

    def _check_rates(self) -> None:
        if self.learning_rate_min > self.learning_rate:
            raise ConfigError(
                "the learning rate falls from learning_rate to learning_rate_min, got"
                f" {self.learning_rate} and {self.learning_rate_min}"
            )

    def of_space(self, space: str) -> Self:
        """Return the settings for an architecture of a space, with its default split."""
        if self.protocol is not None and self.protocol not in PROTOCOLS.get(space, ()):
            known = " or ".join(map(str, PROTOCOLS.get(space, ()))) or "none"
            raise ConfigError(f"the protocols of {space} are {known}, got {self.protocol}")
        for name, what in (("drop_path", "paths to drop"), ("auxiliary_weight", "auxiliary head")):
            if getattr(self, name) and not getattr(PIPELINES[space], name):
                raise ConfigError(f"the network of {space} has no {what}, got {name} {getattr(self, name)}")
        for name, least in space_of(space).minimum._asdict().items():
            if getattr(self, name) is not None:
                whole(name, getattr(self, name), least, getattr(MAXIMUM, name))
        return replace(self, space=space, split=self.split or PIPELINES[space].split)

    def completed(
        self, space: str, size: tuple[int, int], architecture: object = None
    ) -> tuple[Self, list[str]]:
        """Return settings in which the pipeline's replace None, and lines on what of it cannot be had.

        `size`: height and width of the images; `architecture`: a value of the space. ConfigError if a setting
        cannot be had.
        """
        settings = self.of_space(space)
        pipeline = get_pipeline(space, settings.dataset, architecture, settings.protocol, size[0])
        known = pipeline._asdict() | default_sizes(space, settings.dataset)._asdict()
        notes = []
        cells = known["cells"] if settings.cells is None else settings.cells
        against = _against_auxiliary(size, cells) if pipeline.auxiliary_weight else None
        if against is not None:
            if settings.auxiliary_weight:
                raise ConfigError(f"{against}; --auxiliary-weight 0 would do")
            if settings.auxiliary_weight is None:
                notes.append(f"{against}: there is none")
            known["auxiliary_weight"] = 0.0
        left = [f.name for f in fields(settings) if f.name in known and getattr(settings, f.name) is None]
        settings = replace(settings, **{name: known[name] for name in left})
        if space in PROTOCOLS and settings.protocol is None:
            settings = replace(settings, protocol=PROTOCOLS[space][0])
        settings._check_rates()
        return settings, notes


def _against_auxiliary(size: tuple[int, int], cells: int) -> str | None:
    """Return why a network cannot have an auxiliary head; None if it can."""
    if tuple(size) != (_SIDE, _SIDE):
        return f"an auxiliary head is made for images of {_SIDE}x{_SIDE}, not {size[1]}x{size[0]}"
    if cells < _CELLS:
        return f"an auxiliary head stands before the last of {_CELLS} cells or more, not {cells}"
    return None
