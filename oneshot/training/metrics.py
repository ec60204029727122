"""Loss and accuracy of networks, and their sums over an epoch."""

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from oneshot.training.distributed import ProcessGroup

_TOP = 5  # the 5 of top-5 accuracy, which needs more classes


class Measured(NamedTuple):
    """Loss and accuracy on images; NaN without images."""

    #: mean loss over images, nats
    loss: float
    #: top-1 accuracy, percent
    accuracy: float

    @classmethod
    def from_sums(cls, loss: float, correct: float, count: float) -> Self:
        """Return the means of the sums of losses and correct answers over `count` images."""
        return cls(loss / count, 100 * correct / count) if count else cls(float("nan"), float("nan"))


class Accuracy(NamedTuple):
    """Loss, top-1 and top-5 accuracy on images."""

    #: mean loss over images, nats
    loss: float
    #: top-1 accuracy, percent
    top1: float
    #: top-5 accuracy, percent; None for 5 classes or fewer
    top5: float | None


class Outcome(NamedTuple):
    """Outputs of a network for a batch, without gradients."""

    #: logits, shape ``(N, classes)``
    logits: Tensor
    #: mean loss over images, a scalar
    loss: Tensor
    #: labels, int64 ``(N,)``
    labels: Tensor

    def sums(self) -> Tensor:
        """Return sum of losses, number of correct answers and number of images, float64 (3,)."""
        loss = self.loss.double() * len(self.labels)
        correct = (self.logits.argmax(dim=1) == self.labels).sum().double()
        return torch.stack([loss, correct, torch.full_like(loss, len(self.labels))])


class Tally:
    """Sums of outcomes over the steps of an epoch, for each split of the images.

    They are kept on the device; only reading them waits for it.
    """

    def __init__(self, splits: int, device: torch.device) -> None:
        # (splits, 3): sums of losses and correct answers over images, number of images
        self.sums = torch.zeros(splits, 3, dtype=torch.float64, device=device)
        self.steps = 0
        # first step after which a sum is not finite; 0 if there is none
        self.bad_step = torch.zeros((), dtype=torch.int64, device=device)

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Add the outcomes of a step, one for each of the first splits."""
        self.sums[: len(outcomes)] += torch.stack([outcome.sums() for outcome in outcomes])
        self.steps += 1
        finite = self.sums.isfinite().all()
        self.bad_step = torch.where((self.bad_step == 0) & ~finite, self.steps, self.bad_step)

    def read(self) -> tuple[list[Measured], int]:
        """Return loss and accuracy of each split so far, and `bad_step`."""
        *values, bad = torch.cat([self.sums.flatten(), self.bad_step.double()[None]]).tolist()
        return [Measured.from_sums(*values[k : k + 3]) for k in range(0, len(values), 3)], int(bad)

    def total(self, group: ProcessGroup) -> Tensor:
        """Return the sums over all processes, shape (splits, 3)."""
        return group.sum(self.sums.clone())

    def state_dict(self, group: ProcessGroup) -> dict[str, Any] | Tensor:
        """Return the sums over all processes for a checkpoint; with one split, a tensor (3,)."""
        total = self.total(group)
        if len(total) == 1:
            return total[0]
        counts = [int(count) for count in total[:, 2].tolist()]
        return {"sums": total[:, :2].flatten(), "counts": counts, "steps": self.steps}

    def load_state_dict(self, state: Mapping[str, Any] | Tensor, group: ProcessGroup) -> None:
        """Restore the sums over all processes, in the main process only."""
        if isinstance(state, Tensor):
            sums = state[None]
        else:
            counts = torch.tensor([[int(count)] for count in state["counts"]])
            sums = torch.cat([state["sums"].view(-1, 2), counts], dim=1)
            self.steps = int(state["steps"])
        if group.is_main:
            self.sums.copy_(sums)


def finite(**values: float | None) -> dict[str, float | None]:
    """Return the values, with None for NaN and infinity."""
    return {name: each if each is not None and isfinite(each) else None for name, each in values.items()}


def precise(logits: Tensor) -> Tensor:
    """Return logits in float32; float64 logits stay float64."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


@torch.no_grad()
def measure_accuracy(
    network: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    classes: int,
    group: ProcessGroup | None = None,
    amp: bool = False,
) -> Accuracy:
    """Return the accuracy of a network on batches, and leave it in evaluation mode.

    Parameters
    ----------
    network
        A network that returns logits.
    batches
        Batches (images, labels).
    classes
        Number of classes.
    group
        Processes whose batches are combined; None for the current process.
    amp
        Whether to compute in bfloat16.
    """
    group = ProcessGroup() if group is None else group
    network.eval()
    total = torch.zeros(4, dtype=torch.float64)
    for images, labels in batches:
        total = total.to(images.device)
        if len(labels):  # a last batch may have fewer images than there are processes
            with torch.autocast(images.device.type, torch.bfloat16, enabled=amp):
                logits = network(images)
            logits = precise(logits)
            correct = logits.topk(min(_TOP, classes)).indices == labels[:, None]
            loss = cross_entropy(logits, labels, reduction="sum")
            values = [loss, correct[:, 0].sum(), correct.sum(), torch.full_like(loss, len(labels))]
            total += torch.stack([each.double() for each in values])
    loss, top1, top5, count = group.sum(total).tolist()
    return Accuracy(loss / count, 100 * top1 / count, 100 * top5 / count if classes > _TOP else None)
