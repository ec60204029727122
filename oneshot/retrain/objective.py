"""Training from scratch as the objective of a search: an arch string in, a validation accuracy out."""

from dataclasses import dataclass, field, replace

from oneshot.retrain.session import retrain
from oneshot.retrain.settings import RetrainSettings
from oneshot.training.environment import Environment


def _quick() -> RetrainSettings:
    """Return settings by which a cell takes a second or less on a core."""
    return RetrainSettings(split="half", channels=4, epochs=5, batch=64)


@dataclass(frozen=True)
class TrainedAccuracy:
    """The accuracy in percent of the network of an architecture, trained, on images that it has not seen.

    >>> objective = TrainedAccuracy(RetrainSettings(split="half", channels=2, epochs=1, batch=128))
    >>> cell = "|nor_conv_3x3~0|+|skip_connect~0|none~1|+|none~0|none~1|skip_connect~2|"
    >>> objective(cell) == objective(cell, epochs=1)
    True

    `settings`: RetrainSettings, whose split "half" trains on one half of the training images and tests on the
    other, so that the test images stay unseen; `environment`: the device, and where images are. Equal
    settings, their seed included, and an equal cell give the same number, on a CPU with as many threads.

    It takes any architecture that `oneshot.retrain` does. With `epochs`, as multi-fidelity searches call it,
    the network is trained for so many from the start: its learning rate falls to the end of just these.
    """

    settings: RetrainSettings = field(default_factory=_quick)
    environment: Environment = Environment()

    def __call__(self, architecture: object, epochs: int | None = None) -> float:
        settings = self.settings if epochs is None else replace(self.settings, epochs=epochs)
        return retrain(architecture, settings, environment=self.environment).top1


accuracy = TrainedAccuracy()  # of a cell of NAS-Bench-201, or another space, on the digits
