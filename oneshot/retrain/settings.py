"""Settings of a retraining, by default as in the pipeline of the space."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self, TypeVar, Unpack, cast

from nasbench.runs.checks import SEEDS, Bounds, whole
from nasbench.runs.settings import Settings, option
from oneshot.errors import ConfigError
from oneshot.retrain.pipelines import PIPELINES, PROTOCOLS, default_settings, get_pipeline
from oneshot.spaces.base import MAXIMUM
from oneshot.spaces.registry import SPACES, get_space
from oneshot.training.environment import absolute, dataset_option, split_list_option
from oneshot.training.images import SMALL, absolute_dataset

T = TypeVar("T", str, int, float)
SPLITS = {
    "full": "train on all training images, test on the test images",
    "half": "train on the training half of a search, test on its validation half",
}
_SIDE = 32  # side in pixels of the images that an auxiliary classifier supports
_CELLS = 4  # minimum number of cells of a network with an auxiliary classifier
SMOKE = {"dataset": "digits", "epochs": 2, "batch": 128, "channels": 2}  # settings of --smoke


def _default(name: str) -> str:
    """Return the default of an option for its help text."""
    usual, small = (
        {space: default_settings(space, get_pipeline(space, dataset), dataset)[name] for space in SPACES}
        for dataset in ("cifar10", SMALL[0])
    )
    on_small = f"; on {' and '.join(SMALL)}: {_named(small)}" if small != usual else ""
    return f"(default: {_named(usual)}{on_small})"


def _named(values: Mapping[str, object]) -> str:
    if len(set(values.values())) == 1:
        return str(next(iter(values.values())))
    return ", ".join(f"{space} {value}" for space, value in values.items())


def _piped(
    name: str, help: str, kind: type[T], choices: Sequence[str] | None = None, **bounds: Unpack[Bounds]
) -> T:
    """Return an option whose default is the value of the pipeline, or the size of the space's network."""
    default = option(None, f"{help} {_default(name)}", type=kind, choices=choices, **bounds)
    return cast(T, default)  # `completed` replaces None


@dataclass(frozen=True)
class RetrainSettings(Settings):
    """Settings of training from scratch; None, the default of most fields, means the value of the pipeline.

    >>> settings, _ = RetrainSettings(dataset="cifar10").completed("darts", (32, 32))
    >>> settings.epochs, settings.cutout, settings.auxiliary_weight
    (600, 16, 0.4)
    """

    #: space of the architecture; None for any
    space: str = cast(  # `completed` replaces None
        str, option(None, "space of the architecture (default: any)", type=str, choices=tuple(SPACES))
    )
    #: data set
    dataset: str = dataset_option()
    #: images to train and test on, a key of `SPLITS`
    split: str = _piped(
        "split",
        f"images to use. {'; '.join(f'{name}: {text}' for name, text in SPLITS.items())}",
        str,
        tuple(SPLITS),
    )
    #: file with published halves of the test images; None for random halves
    split_list: str | None = split_list_option(", for --split half")
    #: epochs of the benchmark's training to follow; None in a space without a benchmark
    protocol: int | None = option(
        None,
        "epochs of the benchmark's training to follow, 200 or 12; only for nb201 (default: 200)",
        type=int,
        metavar="EPOCHS",
    )
    #: passes over the training images
    epochs: int = _piped("epochs", "passes over the training images", int, at_least=1)
    #: images per step, over all processes
    batch: int = _piped("batch", "images per step, over all processes", int, at_least=2)
    #: initial learning rate
    learning_rate: float = _piped("learning_rate", "initial learning rate", float, above=0)
    #: final learning rate, after the cosine
    learning_rate_min: float = _piped(
        "learning_rate_min", "final learning rate, after the cosine", float, at_least=0
    )
    #: momentum of SGD
    momentum: float = _piped("momentum", "momentum of SGD", float, at_least=0, below=1)
    #: weight decay of all weights
    weight_decay: float = _piped("weight_decay", "weight decay of all weights", float, at_least=0)
    #: norm to which gradients are clipped; 0 disables clipping
    grad_clip: float = _piped(
        "grad_clip", "norm to which gradients are clipped; 0 disables clipping", float, at_least=0
    )
    #: side of the square cut out of training images, in pixels; 0 for none
    cutout: int = _piped(
        "cutout", "side of the square cut out of training images in pixels; 0 for none", int, at_least=0
    )
    #: final drop path rate, which rises linearly from 0
    drop_path: float = _piped(
        "drop_path", "final drop path rate, which rises linearly from 0", float, at_least=0, below=1
    )
    #: weight of the auxiliary classifier's loss; 0 disables the classifier
    auxiliary_weight: float = _piped(
        "auxiliary_weight",
        "weight of the auxiliary classifier's loss; 0 disables the classifier",
        float,
        at_least=0,
    )
    #: channels of the network's first stage
    channels: int = _piped(
        "channels", "channels of the network's first stage", int, at_least=1, at_most=MAXIMUM.channels
    )
    #: cells per stage; in darts and s1 to s4 in total
    cells: int = _piped(
        "cells", "cells per stage; in darts and s1 to s4 in total", int, at_least=1, at_most=MAXIMUM.cells
    )
    #: random seed
    seed: int = option(0, "random seed", at_least=0, at_most=SEEDS)
    #: decay per step of a moving average of the weights; None for no average
    ema: float | None = option(
        None,
        "decay per step of a moving average of the weights, which is also tested (default: no average)",
        type=float,
        at_least=0,
        below=1,
    )
    #: whether to compute in bfloat16
    amp: bool = option(False, "compute in bfloat16 where it is safe; weights stay float32")
    #: whether to use torch.compile
    compile: bool = option(
        False,
        "run the network through torch.compile, which takes minutes before the first step; not tested on"
        " CUDA",
    )
    #: whether each process normalizes over its own part of a batch
    local_bn: bool = option(
        False, "let each process normalize over its own part of the batch instead of the whole batch"
    )

    def __post_init__(self) -> None:
        if self.space is not None:
            get_space(self.space)
        super().__post_init__()
        object.__setattr__(self, "dataset", absolute_dataset(self.dataset))
        if self.split_list is not None:
            if self.dataset not in ("cifar100", "imagenet16-120") or self.split == "full":
                raise ConfigError(
                    "split_list needs --split half and the test images of cifar100 or imagenet16-120, got"
                    f" {self.dataset}{' and --split full' if self.split == 'full' else ''}"
                )
            object.__setattr__(self, "split_list", absolute(self.split_list))
        rates = self.learning_rate, self.learning_rate_min
        if None not in rates and self.learning_rate_min > self.learning_rate:
            raise ConfigError(
                f"learning_rate_min must be <= learning_rate {self.learning_rate},"
                f" got {self.learning_rate_min}"
            )

    def of_space(self, space: str) -> Self:
        """Return the settings for an architecture of `space`, with the default split of the space."""
        if self.protocol is not None and self.protocol not in PROTOCOLS.get(space, ()):
            known = " or ".join(map(str, PROTOCOLS.get(space, ())))
            rule = f"must be {known} for {space}" if known else f"cannot be set, because {space} has none"
            raise ConfigError(f"protocol {rule}; got {self.protocol}")
        for name, feature in (("drop_path", "paths to drop"), ("auxiliary_weight", "auxiliary classifier")):
            if getattr(self, name) and not getattr(PIPELINES[space], name):
                value = getattr(self, name)
                raise ConfigError(
                    f"{name} must be 0, because networks of {space} have no {feature}; got {value}"
                )
        for name, minimum in get_space(space).minimum._asdict().items():
            if getattr(self, name) is not None:
                whole(name, getattr(self, name), minimum, getattr(MAXIMUM, name))
        return replace(self, space=space, split=self.split or PIPELINES[space].split)

    def completed(
        self, space: str, size: tuple[int, int], architecture: object = None
    ) -> tuple[Self, list[str]]:
        """Return settings with None replaced by the pipeline's values.

        Parameters
        ----------
        space
            Name of the space.
        size
            Height and width of the images.
        architecture
            Value of the space.

        Returns
        -------
        tuple of RetrainSettings and list of str
            The settings, and notes on values of the pipeline that the network does not support.

        Raises
        ------
        ConfigError
            If the network does not support a given setting.
        """
        settings = self.of_space(space)
        pipeline = get_pipeline(space, settings.dataset, architecture, settings.protocol, size[0])
        known = default_settings(space, pipeline, settings.dataset)
        notes: list[str] = []
        cells = known["cells"] if settings.cells is None else settings.cells
        obstacle = _auxiliary_obstacle(size, cells) if pipeline.auxiliary_weight else None
        if obstacle is not None:
            if settings.auxiliary_weight:
                raise ConfigError(f"{obstacle}; try --auxiliary-weight 0")
            if settings.auxiliary_weight is None:
                notes.append(f"{obstacle}; training without one")
            known["auxiliary_weight"] = 0.0
        if space in PROTOCOLS:
            known["protocol"] = PROTOCOLS[space][0]
        missing = [name for name, value in settings.to_json().items() if value is None and name in known]
        return replace(settings, **{name: known[name] for name in missing}), notes


def _auxiliary_obstacle(size: tuple[int, int], cells: int) -> str | None:
    """Return why a network cannot have an auxiliary classifier; None if it can."""
    if tuple(size) != (_SIDE, _SIDE):
        return f"an auxiliary classifier needs images of {_SIDE}x{_SIDE}, got {size[1]}x{size[0]}"
    if cells < _CELLS:
        return f"an auxiliary classifier needs at least {_CELLS} cells, got {cells}"
    return None
