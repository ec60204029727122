"""How right a supernet is on images: loss and accuracy."""

from typing import NamedTuple

import torch
from torch.nn.functional import cross_entropy


class Measured(NamedTuple):
    """What a supernet made of images; NaN of none."""

    loss: float  # nats, the mean over images
    accuracy: float  # percent

    @classmethod
    def of(cls, loss, correct, count):
        """From the sums over so many images."""
        return cls(loss / count, 100 * correct / count) if count else cls(float("nan"), float("nan"))


def sums(logits, loss, labels):
    """Loss and number of correct answers, summed over images, both scalars in float64 on the device."""
    return [loss.double() * len(labels), (logits.argmax(dim=1) == labels).sum().double()]


@torch.no_grad()
def evaluate(optimizer, batches):
    """What a MetaOptimizer's supernet, as it is now, makes of batches (images, labels): a Measured."""
    total, count = 0.0, 0
    optimizer.graph.eval()
    try:
        for images, labels in batches:
            logits = optimizer.logits(images)
            total = total + torch.stack(sums(logits, cross_entropy(logits, labels), labels))
            count += len(labels)
    finally:
        optimizer.graph.train()
    return Measured.of(*(total.tolist() if count else (0.0, 0.0)), count)
