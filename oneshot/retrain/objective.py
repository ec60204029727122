"""Training from scratch as the objective of a search: maps an architecture to its validation accuracy."""

from dataclasses import dataclass, field, replace

from oneshot.retrain.session import retrain
from oneshot.retrain.settings import RetrainSettings
from oneshot.training.environment import Environment


def _quick() -> RetrainSettings:
    """Return settings with which training a cell takes at most a second on one CPU core."""
    return RetrainSettings(split="half", channels=4, epochs=5, batch=64)


@dataclass(frozen=True)
class TrainedAccuracy:
    """An objective that trains the network of an architecture and returns its accuracy on held-out images.

    >>> objective = TrainedAccuracy(RetrainSettings(split="half", channels=2, epochs=1, batch=128))
    >>> cell = "|nor_conv_3x3~0|+|skip_connect~0|none~1|+|none~0|none~1|skip_connect~2|"
    >>> objective(cell) == objective(cell, epochs=1)
    True

    It accepts any architecture that `oneshot.retrain` does. Equal architectures and settings, including the
    seed, give the same accuracy on a CPU with the same number of threads.
    """

    #: settings of the training; split "half" tests on training images that are held out, not on test images
    settings: RetrainSettings = field(default_factory=_quick)
    #: device and file locations
    environment: Environment = Environment()

    def __call__(self, architecture: object, epochs: int | None = None) -> float:
        """Train an architecture from scratch, and return its top-1 accuracy in percent.

        Parameters
        ----------
        architecture
            An Architecture, its text or value, or the folder of a finished search.
        epochs
            Number of epochs, as passed by multi-fidelity searches; by default as in the settings. The
            schedule of the learning rate ends after this number of epochs.
        """
        settings = self.settings if epochs is None else replace(self.settings, epochs=epochs)
        return retrain(architecture, settings, environment=self.environment).top1


accuracy = TrainedAccuracy()  # accuracy on the digits of an architecture of any space
