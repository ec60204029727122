"""Published settings for training the networks of each space from scratch, adapted to small images."""

from typing import Any, NamedTuple

from oneshot.spaces.published import GDAS_V1
from oneshot.spaces.registry import get_space
from oneshot.training.images import SMALL, augments


class Pipeline(NamedTuple):
    """Settings of a training from scratch."""

    #: images to train and test on: "full" or "half"
    split: str
    #: passes over the training images
    epochs: int
    #: images per step
    batch: int
    #: initial learning rate
    learning_rate: float
    #: final learning rate of the cosine schedule, which is updated once per epoch
    learning_rate_min: float = 0.0
    #: momentum of SGD
    momentum: float = 0.9
    #: whether to use Nesterov momentum
    nesterov: bool = False
    #: weight decay of all weights
    weight_decay: float = 3e-4
    #: norm to which gradients are clipped; 0 disables clipping
    grad_clip: float = 0.0
    #: side of the Cutout square in images of 32x32, in pixels; 0 for none
    cutout: int = 0
    #: final drop path rate, which rises linearly from 0, once per epoch
    drop_path: float = 0.0
    #: weight of the auxiliary classifier's loss; 0 disables the classifier
    auxiliary_weight: float = 0.0
    #: whether training images are randomly cropped and flipped
    augment: bool = True


# Liu et al. 2019, arXiv:1806.09055, appendix A.2, as in Ruchte et al. 2020, NASLib, appendix A.1
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
# NASLib, appendix A.1, for batch, learning rates, Cutout and drop path; the others as for DARTS
_HIERARCHICAL = _DARTS._replace(batch=32, learning_rate_min=0.001, auxiliary_weight=0.0)
# Dong & Yang 2020, NAS-Bench-201, arXiv:2001.00326, section 2.2
_NB201 = Pipeline(
    split="half",  # the default table has the accuracies for it
    epochs=200,
    batch=256,
    learning_rate=0.1,
    nesterov=True,
    weight_decay=5e-4,
)
PIPELINES = {"darts": _DARTS, "hierarchical": _HIERARCHICAL, "nb201": _NB201}
PIPELINES |= dict.fromkeys(("s1", "s2", "s3", "s4"), _DARTS)  # same cells and networks
PROTOCOLS = {"nb201": (200, 12)}  # epochs of the benchmark's training runs, the default first
# Settings for small images, on which Cutout would remove too much; training takes a minute on a CPU
_SMALLER = {"epochs": 10, "batch": 32, "cutout": 0}
_BATCHES: dict[object, int] = {GDAS_V1: 72}  # NASLib, appendix A.1, because it needs more memory
_CUTOUT_OF = 32  # image height in pixels that `Pipeline.cutout` is for; it scales with the height


def get_pipeline(
    space: str,
    dataset: str,
    architecture: object = None,
    protocol: int | None = None,
    height: int = _CUTOUT_OF,
) -> Pipeline:
    """Return the settings for training networks of a space on a data set.

    >>> get_pipeline("darts", "cifar10").batch, get_pipeline("darts", "cifar10", GDAS_V1).batch
    (96, 72)

    Parameters
    ----------
    space, dataset
        Names of the space and the data set.
    architecture
        Value of the space; some published architectures have their own batch size.
    protocol
        Epochs of the benchmark's training, one of the space's `PROTOCOLS`.
    height
        Height of the images in pixels, which scales Cutout.
    """
    pipeline = PIPELINES[space]
    pipeline = pipeline._replace(
        batch=_BATCHES.get(architecture, pipeline.batch), cutout=pipeline.cutout * height // _CUTOUT_OF
    )
    if dataset in SMALL:
        pipeline = Pipeline(**pipeline._asdict() | _SMALLER | {"augment": augments(dataset)})
    return pipeline if protocol is None else pipeline._replace(epochs=protocol)


def default_settings(space: str, pipeline: Pipeline, dataset: str) -> dict[str, Any]:  # values of many types
    """Return the settings of a pipeline and the sizes of a space's network on a data set."""
    sizes = get_space(space).smaller if dataset in SMALL else get_space(space).trained
    return pipeline._asdict() | sizes._asdict()
