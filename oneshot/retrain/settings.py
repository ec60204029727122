"""The settings of a retraining, and their defaults in its pipeline."""

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
    "full": "all training images, tested on the test images",
    "half": "the half that a search trains weights on, tested on the half it validates on",
}
_SIDE = 32  # of the images that an auxiliary head is made for
_CELLS = 4  # at least, of a network with one
SMOKE = {"dataset": "digits", "epochs": 2, "batch": 128, "channels": 2}  # and cells as on the digits


def _default(name: str) -> str:
    """Return the default of an option, for the help."""
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
    """Return an option whose default is the pipeline's, or the size of the space's network."""
    default = option(None, f"{help} {_default(name)}", type=kind, choices=choices, **bounds)
    return cast(T, default)  # None until `completed` replaces it


@dataclass(frozen=True)
class RetrainSettings(Settings):
    """How a network is trained from scratch; None, the default of most: as the pipeline of its space has it.

    >>> settings, _ = RetrainSettings(dataset="cifar10").completed("darts", (32, 32))
    >>> settings.epochs, settings.cutout, settings.auxiliary_weight
    (600, 16, 0.4)
    """

    #: Space of the architecture.
    space: str = cast(  # None until `completed` replaces it
        str,
        option(
            None, "space that the architecture must be of (default: any)", type=str, choices=tuple(SPACES)
        ),
    )
    #: Data set.
    dataset: str = dataset_option()
    #: Images that are trained on and tested on, a key of `SPLITS`.
    split: str = _piped(
        "split", "; ".join(f"{name}: {text}" for name, text in SPLITS.items()), str, tuple(SPLITS)
    )
    #: File with the published halves of test images.
    split_list: str | None = split_list_option(", for --split half")
    #: Epochs of the benchmark's protocol; None in a space without a benchmark.
    protocol: int | None = option(
        None,
        "follow the benchmark's training of 200 or 12 epochs, nb201 only (default: 200)",
        type=int,
        metavar="EPOCHS",
    )
    #: Passes over the training images.
    epochs: int = _piped("epochs", "passes over the training images", int, at_least=1)
    #: Images per step, of all processes together.
    batch: int = _piped("batch", "images per step, of all processes together", int, at_least=2)
    #: Initial learning rate.
    learning_rate: float = _piped("learning_rate", "initial learning rate", float, above=0)
    #: Final learning rate.
    learning_rate_min: float = _piped(
        "learning_rate_min", "final learning rate, after the cosine", float, at_least=0
    )
    #: Momentum of SGD.
    momentum: float = _piped("momentum", "momentum of SGD", float, at_least=0, below=1)
    #: Weight decay of all weights.
    weight_decay: float = _piped("weight_decay", "weight decay of all weights", float, at_least=0)
    #: Norm to which gradients are clipped; 0: they are not.
    grad_clip: float = _piped(
        "grad_clip", "norm to which gradients are clipped; 0 disables clipping", float, at_least=0
    )
    #: Side of the square that is cut out of training images, in pixels; 0: none.
    cutout: int = _piped(
        "cutout", "side of the square cut out of training images; 0 for none, in pixels", int, at_least=0
    )
    #: Rate of dropped paths at the end, which rises linearly.
    drop_path: float = _piped(
        "drop_path", "final rate of dropped paths, which rises linearly from 0", float, at_least=0, below=1
    )
    #: Weight of the auxiliary classifier's loss; 0: there is no such classifier.
    auxiliary_weight: float = _piped(
        "auxiliary_weight",
        "weight of the auxiliary classifier's loss; 0 disables the classifier",
        float,
        at_least=0,
    )
    #: Channels of the first stage.
    channels: int = _piped(
        "channels", "channels of the network's first stage", int, at_least=1, at_most=MAXIMUM.channels
    )
    #: Cells of the network, as the space counts them.
    cells: int = _piped(
        "cells", "cells of each stage, in darts of the whole network", int, at_least=1, at_most=MAXIMUM.cells
    )
    #: Random seed.
    seed: int = option(0, "random seed", at_least=0, at_most=SEEDS)
    #: Decay per step of the moving average of the weights; None: there is none.
    ema: float | None = option(
        None,
        "decay per step of a moving average of the weights, which is tested too (default: no average)",
        type=float,
        at_least=0,
        below=1,
    )
    #: Whether to compute in bfloat16.
    amp: bool = option(False, "compute in bfloat16 where that is safe; weights stay float32")
    #: Whether to use torch.compile.
    compile: bool = option(False, "run the network through torch.compile, which takes minutes before the first step; not tested on CUDA")
    #: Whether each process normalizes its own part of a batch.
    local_bn: bool = option(
        False, "let each process normalize its own part of the batch instead of the whole batch"
    )

    def __post_init__(self) -> None:
        if self.space is not None:
            get_space(self.space)
        super().__post_init__()
        object.__setattr__(self, "dataset", absolute_dataset(self.dataset))
        if self.split_list is not None:
            if self.dataset not in ("cifar100", "imagenet16-120") or self.split == "full":
                raise ConfigError(
                    "split_list names halves of cifar100's or imagenet16-120's test images, for --split half,"
                    f" got {self.dataset}{' and --split full' if self.split == 'full' else ''}"
                )
            object.__setattr__(self, "split_list", absolute(self.split_list))
        rates = self.learning_rate, self.learning_rate_min
        if None not in rates and self.learning_rate_min > self.learning_rate:
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
        for name, least in get_space(space).minimum._asdict().items():
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
        known = default_settings(space, pipeline, settings.dataset)
        notes: list[str] = []
        cells = known["cells"] if settings.cells is None else settings.cells
        against = _against_auxiliary(size, cells) if pipeline.auxiliary_weight else None
        if against is not None:
            if settings.auxiliary_weight:
                raise ConfigError(f"{against}; --auxiliary-weight 0 would do")
            if settings.auxiliary_weight is None:
                notes.append(f"{against}: there is none")
            known["auxiliary_weight"] = 0.0
        if space in PROTOCOLS:
            known["protocol"] = PROTOCOLS[space][0]
        left = [name for name, value in settings.to_json().items() if value is None and name in known]
        return replace(settings, **{name: known[name] for name in left}), notes


def _against_auxiliary(size: tuple[int, int], cells: int) -> str | None:
    """Return why a network cannot have an auxiliary head; None if it can."""
    if tuple(size) != (_SIDE, _SIDE):
        return f"an auxiliary head is made for images of {_SIDE}x{_SIDE}, not {size[1]}x{size[0]}"
    if cells < _CELLS:
        return f"an auxiliary head stands before the last of {_CELLS} cells or more, not {cells}"
    return None
