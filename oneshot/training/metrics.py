"""How right a network is on images: loss and accuracy, and their sums over an epoch."""

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from oneshot.training.distributed import ProcessGroup

_FEW = 5  # classes, among which the five likeliest are all


class Measured(NamedTuple):
    """Loss and accuracy on images; NaN without images."""

    loss: float  # nats, the mean over images
    accuracy: float  # percent

    @classmethod
    def from_sums(cls, loss: float, correct: float, count: float) -> Self:
        """Return the means of sums over `count` images."""
        return cls(loss / count, 100 * correct / count) if count else cls(float("nan"), float("nan"))


class Accuracy(NamedTuple):
    """Loss, top-1 and top-5 accuracy on images."""

    loss: float  # nats, the mean over images
    top1: float  # percent of the images whose class is the likeliest
    top5: float | None  # percent of those whose class is among the five likeliest; None for up to 5 classes


class Outcome(NamedTuple):
    """A network's answers to a batch, without gradients."""

    logits: Tensor  # (N, classes)
    loss: Tensor  # the mean over images, a scalar
    labels: Tensor  # (N,)

    def sums(self) -> Tensor:
        """Return loss and correct answers, summed over images, and the number of images: float64 (3,)."""
        loss = self.loss.double() * len(self.labels)
        correct = (self.logits.argmax(dim=1) == self.labels).sum().double()
        return torch.stack([loss, correct, torch.full_like(loss, len(self.labels))])


class Tally:
    """Sums over the steps of an epoch, for each split of the images.

    They are kept on the device; only reading them waits for it.
    """

    def __init__(self, splits: int, device: torch.device) -> None:
        # (splits, 3): loss and correct answers, summed over images; images
        self.sums = torch.zeros(splits, 3, dtype=torch.float64, device=device)
        self.steps = 0
        # the first step after which a sum is not finite, 0 before there is one
        self.bad_step = torch.zeros((), dtype=torch.int64, device=device)

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Add the outcomes of a step, those of the first splits."""
        self.sums[: len(outcomes)] += torch.stack([outcome.sums() for outcome in outcomes])
        self.steps += 1
        finite = self.sums.isfinite().all()
        self.bad_step = torch.where((self.bad_step == 0) & ~finite, self.steps, self.bad_step)

    def read(self) -> tuple[list[Measured], int]:
        """Return what the splits measured so far, and `bad_step`."""
        *values, bad = torch.cat([self.sums.flatten(), self.bad_step.double()[None]]).tolist()
        return [Measured.from_sums(*values[k : k + 3]) for k in range(0, len(values), 3)], int(bad)

    def total(self, group: ProcessGroup) -> Tensor:
        """Return the sums of all processes, (splits, 3)."""
        return group.sum(self.sums.clone())

    def state_dict(self, group: ProcessGroup) -> dict[str, Any] | Tensor:
        """Return the sums of all processes as checkpoints have them; with one split, a tensor (3,)."""
        total = self.total(group)
        if len(total) == 1:
            return total[0]
        counts = [int(count) for count in total[:, 2].tolist()]
        return {"sums": total[:, :2].flatten(), "counts": counts, "steps": self.steps}

    def load_state_dict(self, state: Mapping[str, Any] | Tensor, group: ProcessGroup) -> None:
        """Restore the sums: the main process takes those of all."""
        if isinstance(state, Tensor):
            sums = state[None]
        else:
            counts = torch.tensor([[int(count)] for count in state["counts"]])
            sums = torch.cat([state["sums"].view(-1, 2), counts], dim=1)
            self.steps = int(state["steps"])
        if group.is_main:
            self.sums.copy_(sums)


def finite(**values: float | None) -> dict[str, float | None]:
    """Return the values, with None for those that are NaN or infinite."""
    return {name: each if each is not None and isfinite(each) else None for name, each in values.items()}


def precise(logits: Tensor) -> Tensor:
    """Return logits in float32, or float64 if they are that."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


@torch.no_grad()
def measure_accuracy(
    network: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    classes: int,
    group: ProcessGroup | None = None,
    amp: bool = False,
) -> Accuracy:
    """Test a network on batches (images, labels), and leave it in evaluation mode.

    `group`: the processes whose batches count together; `amp`: compute in bfloat16.
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
            right = logits.topk(min(_FEW, classes)).indices == labels[:, None]
            loss = cross_entropy(logits, labels, reduction="sum")
            values = [loss, right[:, 0].sum(), right.sum(), torch.full_like(loss, len(labels))]
            total += torch.stack([each.double() for each in values])
    loss, first, among, count = group.sum(total).tolist()
    return Accuracy(loss / count, 100 * first / count, 100 * among / count if classes > _FEW else None)
