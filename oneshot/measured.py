"""Loss and accuracy of a network on images."""

from typing import NamedTuple, Self

from torch import Tensor


class Measured(NamedTuple):
    """Loss and accuracy on images; NaN without images."""

    #: The mean over images, in nats.
    loss: float
    #: Percent.
    accuracy: float

    @classmethod
    def from_sums(cls, loss: float, correct: float, count: float) -> Self:
        """Return the means of sums over `count` images."""
        return cls(loss / count, 100 * correct / count) if count else cls(float("nan"), float("nan"))


def sums(logits: Tensor, loss: Tensor, labels: Tensor) -> list[Tensor]:
    """Return loss and number of correct answers, summed over images, both scalars in float64 on the device.

    Parameters
    ----------
    logits
        Shape ``(N, classes)``.
    loss
        The mean over the images, a scalar.
    labels
        Shape ``(N,)``.
    """
    return [loss.double() * len(labels), (logits.argmax(dim=1) == labels).sum().double()]
