"""How right a network is on images: loss, top-1 and top-5 accuracy."""

from typing import NamedTuple

import torch
from torch.nn.functional import cross_entropy

from oneshot.training.distributed import Group

_FEW = 5  # classes, among which the five likeliest are all


class Accuracy(NamedTuple):
    """What a network made of images."""

    loss: float  # nats, the mean over images
    top1: float  # percent of the images whose class is the likeliest
    top5: float | None  # percent of those whose class is among the five likeliest; None for up to 5 classes


def precise(logits):
    """Logits in float32, or float64 if they are that."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


@torch.no_grad()
def accuracy_of(network, batches, classes, group=None, amp=False):
    """What a network of so many classes makes of batches (images, labels), an Accuracy.

    With a Group, of the batches of all its processes together.

    The network is left in evaluation mode.
    """
    group = Group() if group is None else group
    network.eval()
    total = None
    for images, labels in batches:
        if total is None:
            total = torch.zeros(4, dtype=torch.float64, device=images.device)
        if len(labels):  # a last batch may have fewer images than there are processes
            with torch.autocast(images.device.type, torch.bfloat16, enabled=amp):
                logits = network(images)
            logits = precise(logits)
            right = logits.topk(min(_FEW, classes)).indices == labels[:, None]
            loss = cross_entropy(logits, labels, reduction="sum")
            found = [loss, right[:, 0].sum(), right.sum(), torch.full_like(loss, len(labels))]
            total += torch.stack([each.double() for each in found])
    loss, first, among, count = group.sum(total).tolist()
    return Accuracy(loss / count, 100 * first / count, 100 * among / count if classes > _FEW else None)
