"""A retraining under way: steps and epochs, what they gave, and where to go on from."""

import math
import time
from typing import NamedTuple

import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from data.loader import part_of
from oneshot import ops
from oneshot.errors import DivergedError
from oneshot.training.accuracy import Accuracy, accuracy_of, precise
from oneshot.training.metrics import Measured, sums


class Epoch(NamedTuple):
    """What an epoch gave."""

    number: int  # from 1
    train: Measured  # by the main classifier alone
    test: Accuracy
    average: Accuracy | None  # by the moving average of the weights, if there is one
    learning_rate: float
    drop_path: float
    images_per_second: float  # of training
    seconds: float  # of training and testing


class Training:
    """A network's training from scratch: where it stands, and how it goes on.

    `network`: a parsed Graph on its device; `settings`: complete RetrainSettings; `feed`: the Feed;
    `loaders`: of this process's part of the batches that it trains on, and of those that it tests.

    A step takes the gradient of the mean loss of the whole batch: each process that of its part, weighted by
    its images; the parts are added up before they are clipped, so that all processes take the same step.
    """

    def __init__(self, network, settings, nesterov, feed, loaders, group):
        self._train, self._test = train, _ = loaders
        self.network, self.group = network, group
        self.device = train.device
        self.epochs, self.steps_an_epoch = settings.epochs, len(train)
        self.epoch = 0  # how many are done
        self.batch = 0  # of the next one, how many are done
        self.best = (0, -1.0)  # the epoch of the best top-1 accuracy, and that accuracy
        self.seconds = 0.0  # spent on the epoch under way
        self.optimizer = torch.optim.SGD(
            network.parameters(),
            settings.learning_rate,
            settings.momentum,
            weight_decay=settings.weight_decay,
            nesterov=nesterov and settings.momentum > 0,
        )
        self.average = None
        if settings.ema is not None:
            average = get_ema_multi_avg_fn(settings.ema)
            self.average = AveragedModel(network, multi_avg_fn=average, use_buffers=True).eval()
        self._settings = settings
        self._feed = feed
        self._drops = [module for module in network.modules() if isinstance(module, ops.DropPath)]
        self._parameters = list(network.parameters())
        self._tally = self._new_tally()
        self._diverged = False  # seen by this process, to be said by all
        self._set_rates()

    def _new_tally(self):
        """Of the epoch under way, over this process's images: loss and correct answers, summed; images."""
        return torch.zeros(3, dtype=torch.float64, device=self.device)

    def run(self, stop, after_step, after_epoch):
        """Go on to the end, or until `stop()` is true in a process after a step; whether the end was reached.

        `after_step(training)` is called after each step, `after_epoch(Epoch)` after each epoch, when all is
        in place to be saved. DivergedError when a loss or a weight is no number any more; what was last saved
        is sound.
        """
        while self.epoch < self.epochs:
            if self._stops(stop):
                return False
            if self.batch == 0:
                self._tally = self._new_tally()
                self._set_rates()
            if not self._rest_of_epoch(stop, after_step):
                return False
            after_epoch(self._end_epoch())
        return True

    def _stops(self, stop):
        stopped, diverged = self.group.any((stop(), self._diverged))
        if diverged:
            self._raise_diverged("the loss is no number any more")
        return stopped

    def _rest_of_epoch(self, stop, after_step):
        begin, before = time.perf_counter(), self.seconds
        self.network.train()
        try:
            for images, labels in self._train.epoch(self.epoch, self.batch):
                with self.group.watching():
                    self._step(images, labels)
                self.batch += 1
                self.seconds = before + time.perf_counter() - begin
                after_step(self)
                if self.batch < self.steps_an_epoch and self._stops(stop):
                    return False
        finally:
            self.seconds = before + time.perf_counter() - begin
        return True

    def _step(self, images, labels):
        whole = min(self._settings.batch, self._feed.train_count - self.batch * self._settings.batch)
        if self.group.size > 1:
            begin, _ = part_of(whole, *self.group.part)
            for drop in self._drops:
                drop.part = (begin, whole)
        loss, logits = self._gradients(images, labels, len(labels) / whole)
        self.group.sum_all([each.grad for each in self._parameters if each.grad is not None])
        if self._settings.grad_clip:
            clip_grad_norm_(self._parameters, self._settings.grad_clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.average is not None:
            self.average.update_parameters(self.network)
        found = sums(logits, loss, labels)
        self._tally += torch.stack([*found, torch.full_like(found[0], len(labels))])

    def _gradients(self, images, labels, share):
        """Add the gradients of so much of the mean loss to the parameters'; (loss, logits), detached."""
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self._settings.amp):
            output = self.network(images)
        logits, auxiliary = output if isinstance(output, tuple) else (output, None)
        logits = precise(logits)
        loss = cross_entropy(logits, labels)
        objective = loss
        if auxiliary is not None:
            objective = loss + self._settings.auxiliary_weight * cross_entropy(precise(auxiliary), labels)
        (share * objective).backward()
        return loss.detach(), logits.detach()

    def try_batch(self, batch):
        """Take the gradients of a batch of so many black images, and let them go; to see whether they fit."""
        images = torch.zeros(batch, 3, *self._feed.size, device=self.device)
        labels = torch.zeros(batch, dtype=torch.int64, device=self.device)
        try:
            self.network.train()
            self._gradients(images, labels, 1.0)
        finally:
            self.optimizer.zero_grad()

    def _set_rates(self):
        """The learning rate falls by a cosine, the rate of dropped paths rises linearly, by epochs."""
        settings, done = self._settings, min(self.epoch, self.epochs - 1) / self.epochs
        low, high = settings.learning_rate_min, settings.learning_rate
        self.learning_rate = low + (high - low) * (1 + math.cos(math.pi * done)) / 2
        self.drop_path = settings.drop_path * done
        for each in self.optimizer.param_groups:
            each["lr"] = self.learning_rate
        for drop in self._drops:
            drop.rate = self.drop_path

    def so_far(self):
        """What the epoch under way gave this process so far, and nothing of tests: (train, test)."""
        loss, correct, count = self._tally.tolist()
        self._diverged |= not math.isfinite(loss)
        return Measured.of(loss, correct, count), Measured.of(0.0, 0, 0)

    def check(self):
        """DivergedError in all processes if a loss of the epoch or a weight is no number any more in one."""
        self.so_far()
        lost = not torch.stack([each.isfinite().all() for each in self._parameters]).all()
        loss, weights = self.group.any((self._diverged, lost))
        if loss or weights:
            self._raise_diverged(
                "the loss is no number any more" if loss else "weights are no numbers any more"
            )

    def _raise_diverged(self, what):
        raise DivergedError(f"{what}: epoch {self.epoch + 1}, by step {self.batch} of {self.steps_an_epoch}")

    def _end_epoch(self):
        begin = time.perf_counter()
        self.check()
        loss, correct, count = self.group.sum(self._tally.clone()).tolist()
        training = self.seconds + time.perf_counter() - begin
        networks = [self.network] if self.average is None else [self.network, self.average.module]
        if self._settings.local_bn:  # each process has statistics of its own; the first one's count
            for network in networks:
                self.group.spread(list(network.buffers()))
        results = [self.test(network) for network in networks]
        self.epoch, self.batch = self.epoch + 1, 0
        if results[0].top1 > self.best[1]:
            self.best = (self.epoch, results[0].top1)
        seconds = self.seconds + time.perf_counter() - begin
        self.seconds = 0.0
        return Epoch(
            self.epoch,
            Measured.of(loss, correct, count),
            results[0],
            None if self.average is None else results[1],
            self.learning_rate,
            self.drop_path,
            count / max(training, 1e-9),
            seconds,
        )

    def test(self, network):
        """What a network makes of the images that are tested, an Accuracy."""
        with self.group.watching():
            return accuracy_of(
                network, self._test.epoch(0), self._feed.classes, self.group, self._settings.amp
            )

    # To be saved, and to go on

    def weights(self):
        """The weights as they are now, a dict of tensors, and the moving average of them, or None."""
        return self.network.state_dict(), self.average and self.average.module.state_dict()

    def state_dict(self):
        """All that the training needs to go on exactly: weights, optimizer, random numbers, place in data.

        All processes have to ask for it at once; what each of them gets is the state of all.
        """
        weights, average = self.weights()
        cuda = torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None
        return {
            "weights": weights,
            "average": average,
            "averaged": self.average and int(self.average.n_averaged),
            "optimizer": self.optimizer.state_dict(),
            "epoch": self.epoch,
            "batch": self.batch,
            "best": self.best,
            "tally": self.group.sum(self._tally.clone()),
            "seconds": self.seconds,
            "rng": {"cpu": torch.get_rng_state(), "cuda": cuda},
        }

    def load_state_dict(self, state):
        """Go back to where a state was; random numbers of the GPU are taken where there are any."""
        epoch, batch = int(state["epoch"]), int(state["batch"])
        whole = epoch == self.epochs
        if not 0 <= epoch <= self.epochs or not 0 <= batch < (1 if whole else self.steps_an_epoch):
            raise ValueError(f"it stands at epoch {epoch}, batch {batch}")
        best, accuracy = state["best"]
        if (state["average"] is None) != (self.average is None):
            raise ValueError("it is of another --ema")
        self.network.load_state_dict(state["weights"])
        if self.average is not None:
            self.average.module.load_state_dict(state["average"])
            self.average.n_averaged.fill_(int(state["averaged"]))
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch, self.batch = epoch, batch
        self.best = (int(best), float(accuracy))
        self._set_rates()
        self._tally = self._new_tally()
        if self.group.leads:
            self._tally.copy_(state["tally"])
        self.seconds = float(state["seconds"])
        torch.set_rng_state(state["rng"]["cpu"])
        if self.device.type == "cuda" and state["rng"]["cuda"] is not None:
            torch.cuda.set_rng_state(state["rng"]["cuda"], self.device)
