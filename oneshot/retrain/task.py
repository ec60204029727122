"""A retraining: its job, and its steps and epochs."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from data.loader import part_bounds
from nasbench import NB201
from nasbench.runs.log import Row
from nasbench.runs.record import present
from oneshot import ops
from oneshot.cost import measure_cost
from oneshot.errors import ConfigError
from oneshot.graph.graph import Graph
from oneshot.retrain import pictures
from oneshot.retrain.benchmark import find_entry, lacking, open_table
from oneshot.retrain.pipelines import get_pipeline
from oneshot.retrain.report import RetrainResult
from oneshot.retrain.settings import RetrainSettings
from oneshot.retrain.weights import BEST, LAST, parse_record
from oneshot.spaces.architectures import Architecture
from oneshot.spaces.registry import get_space
from oneshot.training.checkpoints import encode_tensors
from oneshot.training.distributed import ProcessGroup
from oneshot.training.environment import Environment
from oneshot.training.images import RetrainImages
from oneshot.training.memory import largest_batch
from oneshot.training.metrics import Accuracy, Outcome, measure_accuracy, precise
from oneshot.training.session import Files, TrainingJob, TrainingTask
from oneshot.training.sync_norm import synchronize
from oneshot.training.trainer import Epoch, Trainer

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class RetrainJob(TrainingJob["RetrainTask"]):
    """What is trained, on which images."""

    images: RetrainImages
    architecture: Architecture
    settings: RetrainSettings  # complete
    table: NB201 | None  # which has the like

    @classmethod
    def create(
        cls,
        architecture: object,
        settings: RetrainSettings | None,
        environment: Environment | None,
        group: ProcessGroup,
    ) -> Self:
        """Return the job of an architecture in any form that `Architecture.parse` takes."""
        settings, environment = settings or RetrainSettings(), environment or Environment()
        group.device(environment.device)  # an error, if it is not there
        parsed = Architecture.parse(architecture, settings.space)
        partial = settings.of_space(parsed.space)
        table = open_table(partial, environment.store)
        images = _load_images(partial, environment)
        complete, lines = settings.completed(parsed.space, images.size, parsed.value)
        _check_batches(complete, images, group)
        notes = tuple(filter(None, [*lines, lacking(table, parsed, complete)]))
        job = cls(images, parsed, complete, table, environment=environment, notes=notes)
        with torch.random.fork_rng([]):
            job.network()  # an error, before there is a folder
        return job

    @classmethod
    def resume(
        cls,
        path: Path,
        record: Mapping[str, Any],
        group: ProcessGroup,
        *,
        environment: Mapping[str, Any],
        settings: Mapping[str, Any] | None = None,
        architecture: object = None,
    ) -> Self:
        """Return the job of the run in a folder, with this config.json.

        `environment`: what differs now; `settings`, `architecture`: what has to agree with the run's.
        """
        found, recorded, before = parse_record(record, path)
        if architecture is not None and Architecture.parse(architecture).record != found.record:
            raise ConfigError(f"the architecture is not the run's, {found.record['text']}")
        recorded.resumed(settings or {}, Environment)
        if recorded.local_bn and record["processes"] != group.size:
            raise ConfigError(
                f"{path} was begun with --local-bn by {record['processes']} processes, which it depends on;"
                f" got {group.size}"
            )
        now = before.updated(**environment)
        group.device(now.device)
        table = open_table(recorded, now.store, path)
        images = _load_images(recorded, now)
        images.check_recorded(record["data"], path)
        _check_batches(recorded, images, group)
        notes = tuple(filter(None, [lacking(table, found, recorded)]))
        return cls(images, found, recorded, table, environment=now, notes=notes)

    def record(self, environment: Environment, group: ProcessGroup) -> dict[str, Any]:
        """Return what config.json holds."""
        return {
            "architecture": self.architecture.record,
            "settings": self.settings.to_json(),
            "places": environment.record(),
            "data": self.images.facts(),
            "processes": group.size,
            **present(torch),
        }

    def network(self) -> Graph:
        """Return the network with new weights, parsed."""
        return get_space(self.settings.space).network(self.architecture.value, **self.sizes())

    def sizes(self) -> dict[str, Any]:  # integers, and a boolean
        """Return the sizes of the network, and whether it has a second classifier."""
        settings = self.settings
        sizes = {"classes": self.images.classes, "channels": settings.channels, "cells": settings.cells}
        return {**sizes, "auxiliary": settings.auxiliary_weight > 0}

    def build(self, device: torch.device, group: ProcessGroup) -> "RetrainTask":
        """Return the retraining before its first step, by the random numbers of the process."""
        return RetrainTask(self, device, group)


class RetrainEpoch(NamedTuple):
    """An epoch of a retraining, beside its training loss."""

    test: Accuracy
    average: Accuracy | None  # by the moving average of the weights, if there is one
    learning_rate: float
    drop_path: float


class _Batch(NamedTuple):
    images: Tensor  # (N, 3, H, W), this process's part
    labels: Tensor  # (N,)
    whole: int  # images of all processes


class RetrainTask(TrainingTask[RetrainResult]):
    """A network's training from scratch.

    A step takes the gradient of the mean loss of the whole batch: each process that of its part, weighted by
    its images; the parts are added up before they are clipped, so that all processes take the same step.
    """

    splits = 1  # training images, by the main classifier alone

    def __init__(self, job: RetrainJob, device: torch.device, group: ProcessGroup) -> None:
        settings = job.settings
        pipeline = get_pipeline(settings.space, settings.dataset)
        self.job, self.device, self.group = job, device, group
        self.name, self.epochs, self.images_per_step = settings.space, settings.epochs, settings.batch
        self.network = self._build_network()
        self.cost = measure_cost(self.network, (3, *job.images.size))
        self.parameters = list(self.network.parameters())
        self.best = (0, -1.0)  # the epoch of the best top-1 accuracy, and that accuracy
        self.optimizer = torch.optim.SGD(
            self.parameters,
            settings.learning_rate,
            settings.momentum,
            weight_decay=settings.weight_decay,
            nesterov=pipeline.nesterov and settings.momentum > 0,
            foreach=True,
        )
        self.average: AveragedModel | None = None
        if settings.ema is not None:
            average = get_ema_multi_avg_fn(settings.ema)  # type: ignore[no-untyped-call]  # torch's
            self.average = AveragedModel(self.network, multi_avg_fn=average, use_buffers=True).eval()
        self._train = job.images.train(settings.batch, pipeline.augment, settings.cutout, device, group.part)
        self._test = job.images.test(settings.batch, device, group.part)
        self._drops = [module for module in self.network.modules() if isinstance(module, ops.DropPath)]
        self.begin_epoch(0)

    def _build_network(self) -> Graph:
        settings = self.job.settings
        network = self.job.network()
        network.to(self.device).to(memory_format=torch.channels_last)
        if self.group.size > 1 and not settings.local_bn:
            synchronize(network, self.group)
        self.group.broadcast([*network.parameters(), *network.buffers()])
        if settings.compile:
            network.compile()
        return network

    def __len__(self) -> int:
        return len(self._train)

    def begin_epoch(self, epoch: int) -> None:
        """Lower the learning rate by a cosine, and raise the rate of dropped paths linearly."""
        settings, done = self.job.settings, epoch / self.epochs
        low, high = settings.learning_rate_min, settings.learning_rate
        self.learning_rate = low + (high - low) * (1 + math.cos(math.pi * done)) / 2
        self.drop_path = settings.drop_path * done
        for each in self.optimizer.param_groups:
            each["lr"] = self.learning_rate
        for drop in self._drops:
            drop.rate = self.drop_path

    def batches(self, epoch: int, start: int) -> Iterator[_Batch]:
        """Yield the batches of training images."""
        self.network.train()
        size, count = self.job.settings.batch, self.job.images.train_images.count
        for number, (images, labels) in enumerate(self._train.epoch(epoch, start), start):
            yield _Batch(images, labels, min(size, count - number * size))

    def step(self, batch: _Batch) -> Sequence[Outcome]:
        """Train the weights."""
        images, labels, whole = batch
        if self.group.size > 1:
            begin, _ = part_bounds(whole, *self.group.part)
            for drop in self._drops:
                drop.part = (begin, whole)
        outcome = self.gradients(images, labels, len(labels) / whole)
        self.group.sum_all([each.grad for each in self.parameters if each.grad is not None])
        if self.job.settings.grad_clip:
            clip_grad_norm_(self.parameters, self.job.settings.grad_clip, foreach=True)
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.average is not None:
            self.average.update_parameters(self.network)
        return [outcome]

    def gradients(self, images: Tensor, labels: Tensor, share: float) -> Outcome:
        """Add the gradients of this share of the mean loss to the parameters'."""
        settings = self.job.settings
        with torch.autocast(images.device.type, torch.bfloat16, enabled=settings.amp):
            output = self.network(images)
        logits, auxiliary = output if isinstance(output, tuple) else (output, None)
        logits = precise(logits)
        loss = cross_entropy(logits, labels)
        objective = loss
        if auxiliary is not None:
            objective = loss + settings.auxiliary_weight * cross_entropy(precise(auxiliary), labels)
        (share * objective).backward()  # type: ignore[no-untyped-call]  # torch's
        return Outcome(logits.detach(), loss.detach(), labels)

    def try_batch(self, batch: int) -> None:
        """Take the gradients of a batch of black images, and let them go; to see whether they fit."""
        images = torch.zeros(batch, 3, *self.job.images.size, device=self.device)
        labels = torch.zeros(batch, dtype=torch.int64, device=self.device)
        try:
            self.network.train()
            self.gradients(images, labels, 1.0)
        finally:
            self.optimizer.zero_grad()

    def end_epoch(self, epoch: int) -> RetrainEpoch:
        """Test the network, and the moving average of its weights."""
        networks = [self.network] if self.average is None else [self.network, self.average.module]
        if self.job.settings.local_bn:  # each process has statistics of its own; the main one's count
            for network in networks:
                self.group.broadcast(list(network.buffers()))
        results = [self.test(network) for network in networks]
        if results[0].top1 > self.best[1]:
            self.best = (epoch, results[0].top1)
        average = results[1] if self.average is not None else None
        return RetrainEpoch(results[0], average, self.learning_rate, self.drop_path)

    def test(self, network: torch.nn.Module) -> Accuracy:
        """Test a network on the images that are held out."""
        with self.group.watching():
            return measure_accuracy(
                network, self._test.epoch(0), self.job.images.classes, self.group, self.job.settings.amp
            )

    def position(self, batch: int, bad_step: int) -> str:
        """Return where in an epoch the training diverged."""
        return f"by step {batch} of {len(self)}"

    def row(self, epoch: Epoch[RetrainEpoch]) -> Row:
        """Return the row of the log of an epoch."""
        (train,), (test, average, learning_rate, drop_path) = epoch.splits, epoch.result
        return {
            "epoch": epoch.number,
            "train_loss": train.loss,
            "train_accuracy": train.accuracy,
            "test_loss": test.loss,
            "top1": test.top1,
            "top5": test.top5,
            "ema_top1": average and average.top1,
            "ema_top5": average and average.top5,
            "learning_rate": learning_rate,
            "drop_path": drop_path,
            "images_per_second": epoch.images_per_second,
            "seconds": epoch.seconds,
        }

    # The end

    def epoch_files(self, row: Row) -> Files:
        """Return the weights, if none were better."""
        return {BEST: self._encode(row)} if self.best[0] == row["epoch"] else {}

    def result(self, trainer: Trainer[RetrainEpoch], log: list[Row]) -> RetrainResult:
        """Return what the training gave."""
        return RetrainResult(
            architecture=self.job.architecture,
            settings=self.job.settings,
            complete=trainer.is_complete,
            epochs=trainer.epoch,
            steps=trainer.steps,
            log=log,
            seconds=sum(row["seconds"] for row in log) + trainer.seconds,
            network=self.network.eval(),
            cost=self.cost,
            images=self.job.images.counts,
            size=self.job.images.size,
            classes=self.job.images.classes,
            best=self.best if self.best[0] else None,
            benchmark=find_entry(self.job.table, self.job.architecture, self.job.settings),
        )

    def result_files(self, result: RetrainResult) -> Files:
        """Return the weights of a training that is complete."""
        return {LAST: self._encode(result.log[-1])} if result.complete else {}

    def figures(self, result: RetrainResult) -> "Mapping[str, Figure]":
        """Draw the curves of the epochs, if there are any."""
        if not result.log:
            return {}
        settings = self.job.settings
        tested = "test" if settings.split == "full" else "validation"
        title = f"{settings.space} on {Path(settings.dataset).name}, seed {settings.seed}"
        return pictures.draw_all(result.log, title, tested)

    def memory_advice(self) -> str:
        """Return which batch fits on the device, if this one does not."""
        batch = self.job.settings.batch
        if self.group.size > 1:  # others do not take part in trials
            return (
                f"on {self.device}, for its part of a batch of {batch}; a smaller --batch, or --amp, may do"
            )
        fits = largest_batch(self.try_batch, batch)
        if fits is None:
            return f"on {self.device}, not even for 2 images; a smaller --channels, or --amp, may do"
        return f"on {self.device}, for a batch of {batch}; --batch {fits} fits"

    # To be saved, and to go on

    def weights(self) -> tuple[dict[str, Tensor], dict[str, Tensor] | None]:
        """Return the weights as they are now, and their moving average, if there is one."""
        average = None if self.average is None else self.average.module.state_dict()
        return self.network.state_dict(), average

    def _encode(self, row: Row) -> memoryview:
        """Return the weights as they are now, as a file for `load_network`."""
        weights, average = self.weights()
        return encode_tensors(
            {"architecture": self.job.architecture.record}
            | self.job.sizes()
            | {"epoch": row["epoch"], "top1": row["top1"], "weights": weights, "average": average}
        )

    def state_dict(self) -> dict[str, Any]:  # tensors and plain values
        """Return weights, their moving average, the optimizer and the best epoch."""
        weights, average = self.weights()
        return {
            "weights": weights,
            "average": average,
            "averaged": None if self.average is None else int(self.average.n_averaged),
            "optimizer": self.optimizer.state_dict(),
            "best": self.best,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to a state."""
        best, accuracy = state["best"]
        if (state["average"] is None) != (self.average is None):
            raise ValueError("it is of another --ema")
        self.network.load_state_dict(state["weights"])
        if self.average is not None:
            self.average.module.load_state_dict(state["average"])
            self.average.n_averaged.fill_(int(state["averaged"]))
        self.optimizer.load_state_dict(state["optimizer"])
        self.best = (int(best), float(accuracy))


def _load_images(settings: RetrainSettings, environment: Environment) -> RetrainImages:
    """Load the images of a retraining; ConfigError unless its network can take them."""
    images = RetrainImages(settings.dataset, environment, settings.split, settings.seed, settings.split_list)
    images.check_sides(settings.space)
    return images


def _check_batches(settings: RetrainSettings, images: RetrainImages, group: ProcessGroup) -> None:
    """Raise a ConfigError unless each batch has images for each process."""
    if images.train_images.count < 2:
        raise ConfigError(f"a network needs two training images or more, got {images.train_images.count}")
    if settings.batch > images.train_images.count:
        raise ConfigError(
            f"a batch of {settings.batch} is more than the training images of {settings.dataset};"
            f" --batch {images.train_images.count} would do"
        )
    least = 2 * group.size if settings.local_bn else group.size
    images.check_parts(settings.batch, [images.train_images.count], least, group)
    if group.size > 1 and settings.compile and not settings.local_bn:
        raise ConfigError(
            "--compile cannot normalize by the whole batch of several processes; --local-bn would do"
        )
