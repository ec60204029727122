"""A retraining: its job, steps and epochs."""

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
    """Checked architecture, settings and images of a retraining."""

    #: images to train and test on
    images: RetrainImages
    #: the architecture
    architecture: Architecture
    #: settings with all defaults filled in
    settings: RetrainSettings
    #: table to compare with; None if no table is comparable
    table: NB201 | None

    @classmethod
    def create(
        cls,
        architecture: object,
        settings: RetrainSettings | None,
        environment: Environment | None,
        group: ProcessGroup,
    ) -> Self:
        """Return the job of an architecture in any form that `Architecture.parse` accepts."""
        settings, environment = settings or RetrainSettings(), environment or Environment()
        group.device(environment.device)  # raises an error if it does not exist
        parsed = Architecture.parse(architecture, settings.space)
        partial = settings.of_space(parsed.space)
        table = open_table(partial, environment.store)
        images = _load_images(partial, environment)
        complete, lines = settings.completed(parsed.space, images.size, parsed.value)
        _check_batches(complete, images, group)
        notes = tuple(filter(None, [*lines, lacking(table, parsed, complete)]))
        job = cls(images, parsed, complete, table, environment=environment, notes=notes)
        with torch.random.fork_rng([]):
            job.network()  # raises its error before a folder exists
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
        """Return the job of a recorded run.

        Parameters
        ----------
        path, record
            Run folder and its config.json.
        group
            The processes.
        environment
            Fields of Environment that replace the recorded ones.
        settings, architecture
            Values that must agree with the recorded ones.
        """
        trained, recorded, before = parse_record(record, path)
        if architecture is not None and Architecture.parse(architecture).record != trained.record:
            raise ConfigError(f"the architecture differs from the run's, {trained.record['text']}")
        recorded.resumed(settings or {}, Environment)
        if recorded.local_bn and record["processes"] != group.size:
            raise ConfigError(
                f"{path} was started with --local-bn by {record['processes']} processes, so it must be"
                f" resumed by as many; got {group.size}"
            )
        now = before.updated(**environment)
        group.device(now.device)
        table = open_table(recorded, now.store, path)
        images = _load_images(recorded, now)
        images.check_recorded(record["data"], path)
        _check_batches(recorded, images, group)
        notes = tuple(filter(None, [lacking(table, trained, recorded)]))
        return cls(images, trained, recorded, table, environment=now, notes=notes)

    def record(self, environment: Environment, group: ProcessGroup) -> dict[str, Any]:
        """Return the contents of config.json."""
        return {
            "architecture": self.architecture.record,
            "settings": self.settings.to_json(),
            "places": environment.record(),
            "data": self.images.facts(),
            "processes": group.size,
            **present(torch),
        }

    def network(self) -> Graph:
        """Return the parsed network with new weights."""
        return get_space(self.settings.space).network(self.architecture.value, **self.sizes())

    def sizes(self) -> dict[str, Any]:  # integers, and a boolean
        """Return the sizes of the network, and whether it has an auxiliary classifier."""
        settings = self.settings
        sizes = {"classes": self.images.classes, "channels": settings.channels, "cells": settings.cells}
        return {**sizes, "auxiliary": settings.auxiliary_weight > 0}

    def build(self, device: torch.device, group: ProcessGroup) -> "RetrainTask":
        """Return the retraining before its first step, initialized by the random numbers of the process."""
        return RetrainTask(self, device, group)


class RetrainEpoch(NamedTuple):
    """Values of an epoch of a retraining, in addition to its training loss."""

    #: accuracy on the held-out images
    test: Accuracy
    #: the same with the moving average of the weights; None without one
    average: Accuracy | None
    #: learning rate
    learning_rate: float
    #: drop path rate
    drop_path: float


class _Batch(NamedTuple):
    images: Tensor  # (N, 3, H, W), this process's part
    labels: Tensor  # (N,)
    total: int  # images of all processes


class RetrainTask(TrainingTask[RetrainResult]):
    """A running retraining.

    A step uses the gradient of the mean loss over the whole batch. Each process computes the gradient of its
    part, weighted by its number of images; gradients are summed over processes before they are clipped, so
    that all processes take the same step.
    """

    splits = 1  # training images, by the main classifier only

    def __init__(self, job: RetrainJob, device: torch.device, group: ProcessGroup) -> None:
        settings = job.settings
        pipeline = get_pipeline(settings.space, settings.dataset)
        self.job, self.device, self.group = job, device, group
        self.name, self.epochs, self.images_per_step = settings.space, settings.epochs, settings.batch
        self.network = self._build_network()
        self.cost = measure_cost(self.network, (3, *job.images.size))
        self.parameters = list(self.network.parameters())
        self.best = (0, -1.0)  # epoch of the best top-1 accuracy, and this accuracy
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
        """Lower the learning rate by a cosine, and raise the drop path rate linearly."""
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
        """Update the weights."""
        images, labels, total = batch
        if self.group.size > 1:
            begin, _ = part_bounds(total, *self.group.part)
            for drop in self._drops:
                drop.part = (begin, total)
        outcome = self.gradients(images, labels, len(labels) / total)
        self.group.sum_all([each.grad for each in self.parameters if each.grad is not None])
        if self.job.settings.grad_clip:
            clip_grad_norm_(self.parameters, self.job.settings.grad_clip, foreach=True)
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.average is not None:
            self.average.update_parameters(self.network)
        return [outcome]

    def gradients(self, images: Tensor, labels: Tensor, share: float) -> Outcome:
        """Add the gradients of `share` times the mean loss to the parameters' gradients."""
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
        """Compute and discard the gradients of a batch of black images, to test whether it fits in memory."""
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
        if self.job.settings.local_bn:  # statistics differ between processes; use the main one's
            for network in networks:
                self.group.broadcast(list(network.buffers()))
        results = [self.test(network) for network in networks]
        if results[0].top1 > self.best[1]:
            self.best = (epoch, results[0].top1)
        average = results[1] if self.average is not None else None
        return RetrainEpoch(results[0], average, self.learning_rate, self.drop_path)

    def test(self, network: torch.nn.Module) -> Accuracy:
        """Test a network on the held-out images."""
        with self.group.watching():
            return measure_accuracy(
                network, self._test.epoch(0), self.job.images.classes, self.group, self.job.settings.amp
            )

    def position(self, batch: int, bad_step: int) -> str:
        """Return the position within an epoch at which the training diverged."""
        return f"by step {batch} of {len(self)}"

    def row(self, epoch: Epoch[RetrainEpoch]) -> Row:
        """Return the row of the log for an epoch."""
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
        """Return the file of the weights if they are the best so far."""
        return {BEST: self._encode(row)} if self.best[0] == row["epoch"] else {}

    def result(self, trainer: Trainer[RetrainEpoch], log: list[Row]) -> RetrainResult:
        """Return the result so far."""
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
        """Return the file of the weights of a complete training."""
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
        """Return advice for a batch that does not fit in memory; test smaller ones."""
        batch = self.job.settings.batch
        if self.group.size > 1:  # the other processes would not take part in the test
            return f"on {self.device}, for its part of a batch of {batch}; try a smaller --batch, or --amp"
        fits = largest_batch(self.try_batch, batch)
        if fits is None:
            return f"on {self.device}, not even for 2 images; try a smaller --channels, or --amp"
        return f"on {self.device}, for a batch of {batch}; --batch {fits} fits"

    # Checkpoints

    def weights(self) -> tuple[dict[str, Tensor], dict[str, Tensor] | None]:
        """Return the current weights, and their moving average or None."""
        average = None if self.average is None else self.average.module.state_dict()
        return self.network.state_dict(), average

    def _encode(self, row: Row) -> memoryview:
        """Return the current weights as a file for `load_network`."""
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
        """Restore a state that `state_dict` returned."""
        best, accuracy = state["best"]
        if (state["average"] is None) != (self.average is None):
            raise ValueError("it was saved with another --ema")
        self.network.load_state_dict(state["weights"])
        if self.average is not None:
            self.average.module.load_state_dict(state["average"])
            self.average.n_averaged.fill_(int(state["averaged"]))
        self.optimizer.load_state_dict(state["optimizer"])
        self.best = (int(best), float(accuracy))


def _load_images(settings: RetrainSettings, environment: Environment) -> RetrainImages:
    """Load the images of a retraining; raise a ConfigError if its network cannot process them."""
    images = RetrainImages(settings.dataset, environment, settings.split, settings.seed, settings.split_list)
    images.check_sides(settings.space)
    return images


def _check_batches(settings: RetrainSettings, images: RetrainImages, group: ProcessGroup) -> None:
    """Raise a ConfigError unless each batch has images for each process."""
    count = images.train_images.count
    if count < 2:
        raise ConfigError(f"training needs at least 2 images, got {count}")
    if settings.batch > count:
        raise ConfigError(
            f"batch must be <= {count}, the number of training images of {settings.dataset},"
            f" got {settings.batch}"
        )
    least = 2 * group.size if settings.local_bn else group.size
    images.check_parts(settings.batch, [count], least, group)
    if group.size > 1 and settings.compile and not settings.local_bn:
        raise ConfigError(
            "--compile does not support normalization over the batch of several processes; try --local-bn"
        )
