"""How the networks of each space are trained from scratch: as published, and on small images."""

from typing import Any, NamedTuple

from oneshot.spaces.published import GDAS_V1
from oneshot.spaces.registry import get_space
from oneshot.training.images import SMALL, augments


class Pipeline(NamedTuple):
    """The settings that a network is trained with."""

    split: str  # which images: "full" or "half"
    epochs: int
    batch: int
    learning_rate: float  # at first
    learning_rate_min: float = 0.0  # at the end of its cosine, which falls epoch by epoch
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 3e-4
    grad_clip: float = 0.0  # the norm that gradients are clipped to; 0: they are not
    cutout: int = 0  # the side of the hole in images of 32x32, pixels; 0: none
    drop_path: float = 0.0  # the rate of paths dropped that is risen to, linearly, epoch by epoch
    auxiliary_weight: float = 0.0  # of the second classifier's loss; 0: there is none
    augment: bool = True  # whether training images are cropped and mirrored at random


# Liu et al. 2019, arXiv:1806.09055, appendix A.2, as Ruchte et al. 2020, NASLib, appendix A.1, ran it
_DARTS = Pipeline(
    split="full",
    epochs=600,
    batch=96,
    learning_rate=0.025,
    grad_clip=5.0,
    cutout=16,
    drop_path=0.2,
    auxiliary_weight=0.4,
)
# NASLib, appendix A.1: batch, learning rates, Cutout and drop path; apart from those, as DARTS
_HIERARCHICAL = _DARTS._replace(batch=32, learning_rate_min=0.001, auxiliary_weight=0.0)
# Dong & Yang 2020, NAS-Bench-201, arXiv:2001.00326, section 2.2
_NB201 = Pipeline(
    split="half",  # of which the default table has the accuracies
    epochs=200,
    batch=256,
    learning_rate=0.1,
    nesterov=True,
    weight_decay=5e-4,
)
PIPELINES = {"darts": _DARTS, "hierarchical": _HIERARCHICAL, "nb201": _NB201}
PIPELINES |= dict.fromkeys(("s1", "s2", "s3", "s4"), _DARTS)  # whose cells and networks they have
PROTOCOLS = {"nb201": (200, 12)}  # epochs that the benchmark's networks were trained for, the default first
# What is another number for small images, of which a hole would lose much: a minute's work on a CPU
_SMALLER = {"epochs": 10, "batch": 32, "cutout": 0}
_BATCHES: dict[object, int] = {GDAS_V1: 72}  # NASLib, appendix A.1, as it needs more memory
_CUTOUT_OF = 32  # pixels; images of another height have a hole in proportion


def get_pipeline(
    space: str,
    dataset: str,
    architecture: object = None,
    protocol: int | None = None,
    height: int = _CUTOUT_OF,
) -> Pipeline:
    """Return the pipeline of a space, on a data set of images of this height.

    `architecture`: a value of the space; `protocol`: one of the space's PROTOCOLS.

    >>> get_pipeline("darts", "cifar10").batch, get_pipeline("darts", "cifar10", GDAS_V1).batch
    (96, 72)
    """
    pipeline = PIPELINES[space]
    pipeline = pipeline._replace(
        batch=_BATCHES.get(architecture, pipeline.batch), cutout=pipeline.cutout * height // _CUTOUT_OF
    )
    if dataset in SMALL:
        pipeline = Pipeline(**pipeline._asdict() | _SMALLER | {"augment": augments(dataset)})
    return pipeline if protocol is None else pipeline._replace(epochs=protocol)


def default_settings(space: str, pipeline: Pipeline, dataset: str) -> dict[str, Any]:  # values of many types
    """Return the settings of a pipeline, and the sizes of the network of a space on a data set."""
    sizes = get_space(space).smaller if dataset in SMALL else get_space(space).trained
    return pipeline._asdict() | sizes._asdict()
