"""A search under way: steps and epochs, what they gave, and where to go on from."""

import time
from typing import NamedTuple

import torch
from torch.nn.utils.rnn import pad_sequence

from oneshot.errors import DivergedError
from oneshot.measured import Measured, sums


class Epoch(NamedTuple):
    """What an epoch gave."""

    number: int  # from 1
    train: Measured
    val: Measured | None  # None for a method that looks at no validation images
    learning_rate: float
    tau: float | None  # the method's temperature, if it has one
    seconds: float
    images_per_second: float  # of both halves


class _Tally:
    """Sums over the steps of an epoch, kept on the device: nobody waits for it but who asks."""

    def __init__(self, device):
        # train, val: loss and correct, summed over images
        self.sums = torch.zeros(4, dtype=torch.float64, device=device)
        self.counts = [0, 0]  # images: train, val
        # the first step with a loss that is no number
        self._bad = torch.zeros((), dtype=torch.int64, device=device)
        self._steps = 0

    def add(self, step, labels_train, labels_val):
        """Count a Step in."""
        found = sums(step.logits_train, step.train_loss, labels_train)
        if step.val_loss is not None:
            found += sums(step.logits_val, step.val_loss, labels_val)
            self.counts[1] += len(labels_val)
        self.counts[0] += len(labels_train)
        self.sums[: len(found)] += torch.stack(found)
        self._steps += 1
        finite = self.sums.isfinite().all()
        self._bad = torch.where((self._bad == 0) & ~finite, self._steps, self._bad)

    def read(self):
        """(train, val, number of the first step with a loss that is no number, or 0)."""
        *found, bad = torch.cat([self.sums, self._bad.double()[None]]).tolist()
        halves = [
            Measured.from_sums(*found[k : k + 2], count) for k, count in zip((0, 2), self.counts, strict=True)
        ]
        return (*halves, int(bad))

    def state_dict(self):
        return {"sums": self.sums, "counts": list(self.counts), "steps": self._steps}

    def load_state_dict(self, state):
        self.sums.copy_(state["sums"])
        self.counts = [int(count) for count in state["counts"]]
        self._steps = int(state["steps"])


class Training:
    """A method's search: where it stands, and how it goes on.

    `optimizer`: a MetaOptimizer with its supernet; `train`, `val`: Loaders; `edges`: {name: EdgeData} of what
    is searched. An epoch is one pass over the training half; validation batches are taken along without end.
    """

    def __init__(self, optimizer, train, val, edges):
        self.optimizer = optimizer
        self.device = train.device
        self.epochs = optimizer.config.epochs
        self.epoch = 0  # how many are done
        self.batch = 0  # of the next one, how many are done
        self.steps_an_epoch = len(train)
        self._train, self._val = train, val
        self._edges = edges
        self._tally = _Tally(self.device)
        self.seconds = 0.0  # spent on the epoch under way
        self._strengths = [self._now()]

    def strengths(self):
        """How much the method would have each candidate, before and after each epoch, (epochs + 1, E, K).

        NaN beyond the candidates of an edge that has fewer than others; None for a method that learns no such
        thing.
        """
        return torch.stack(self._strengths) if self.optimizer.alphas else None

    def _now(self):
        if not self.optimizer.alphas:
            return torch.empty(0)
        rows = [self.optimizer.scores(edge).float().cpu() for edge in self._edges.values()]
        return pad_sequence(rows, batch_first=True, padding_value=torch.nan)

    def run(self, stop, after_step, after_epoch):
        """Go on to the end, or until `stop()` is true after a step; whether the end was reached.

        `after_step(training)` is called after each step, `after_epoch(Epoch)` after each epoch, when all is
        in place to be saved. DivergedError when a loss or a weight is no number any more; what was last saved
        is sound.
        """
        val = self._val.forever(self.epoch * self.steps_an_epoch + self.batch)
        while self.epoch < self.epochs:
            if stop():
                return False
            if self.batch == 0:
                self._tally = _Tally(self.device)
                self.optimizer.new_epoch(self.epoch)
            if not self._rest_of_epoch(val, stop, after_step):
                return False
            after_epoch(self._end_epoch())
        return True

    def _rest_of_epoch(self, val, stop, after_step):
        begin, before = time.perf_counter(), self.seconds
        try:
            for images, labels in self._train.epoch(self.epoch, self.batch):
                images_val, labels_val = next(val)
                step = self.optimizer.step((images, labels), (images_val, labels_val))
                self._tally.add(step, labels, labels_val)
                self.batch += 1
                self.seconds = before + time.perf_counter() - begin
                after_step(self)
                if self.batch < self.steps_an_epoch and stop():
                    return False
        finally:
            self.seconds = before + time.perf_counter() - begin
        return True

    def so_far(self):
        """What the epoch under way gave so far, (train, val); DivergedError if a loss is no number."""
        train, val, bad = self._tally.read()
        if bad:
            raise DivergedError(
                f"the loss is no number any more: epoch {self.epoch + 1}, step {bad} of {self.steps_an_epoch}"
            )
        return train, val

    def _end_epoch(self):
        begin = time.perf_counter()
        train, val = self.so_far()
        self.check()
        rate = self.optimizer.op_optimizer.param_groups[0]["lr"]
        self.optimizer.schedule.step()
        self.epoch, self.batch = self.epoch + 1, 0
        self._strengths.append(self._now())
        taus = self.optimizer.graph.get_all_edge_data("tau", self.optimizer.scope)
        seconds = self.seconds + time.perf_counter() - begin
        self.seconds = 0.0
        images = sum(self._tally.counts)
        seen = val if self._tally.counts[1] else None
        return Epoch(
            self.epoch,
            train,
            seen,
            rate,
            float(taus[0]) if taus else None,
            seconds,
            images / max(seconds, 1e-9),
        )

    def check(self):
        """DivergedError if a loss of the epoch, a weight or an alpha is no number any more."""
        self.so_far()
        parameters = [*self.optimizer.weights, *self.optimizer.alphas]
        if not torch.stack([parameter.isfinite().all() for parameter in parameters]).all():
            raise DivergedError(
                f"weights are no numbers any more: epoch {self.epoch + 1}, its step {self.batch}"
            )

    # To be saved, and to go on

    def state_dict(self):
        """All that the search needs to go on exactly: weights, optimizers, random numbers, place in data."""
        cuda = torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None
        return {
            "optimizer": self.optimizer.state_dict(),
            "epoch": self.epoch,
            "batch": self.batch,
            "tally": self._tally.state_dict(),
            "seconds": self.seconds,
            "strengths": torch.stack(self._strengths),
            "rng": {"cpu": torch.get_rng_state(), "cuda": cuda},
        }

    def load_state_dict(self, state):
        """Go back to where a state was; random numbers of the GPU are taken where there are any."""
        epoch, batch = int(state["epoch"]), int(state["batch"])
        whole = epoch == self.epochs
        if not 0 <= epoch <= self.epochs or not 0 <= batch < (1 if whole else self.steps_an_epoch):
            raise ValueError(f"it stands at epoch {epoch}, batch {batch}")
        if state["strengths"].shape != (epoch + 1, *self._strengths[0].shape):
            raise ValueError(f"it has strengths of shape {tuple(state['strengths'].shape)}")
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch, self.batch = epoch, batch
        if batch or whole:
            self.optimizer.new_epoch(epoch - whole)
        self._tally.load_state_dict(state["tally"])
        self.seconds = float(state["seconds"])
        self._strengths = list(state["strengths"])
        torch.set_rng_state(state["rng"]["cpu"])
        if self.device.type == "cuda" and state["rng"]["cuda"] is not None:
            torch.cuda.set_rng_state(state["rng"]["cuda"], self.device)
