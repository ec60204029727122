"""A gradient-based search: its job, steps and epochs."""

import io
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from nasbench.runs.log import Row
from nasbench.runs.progress import tracked
from nasbench.runs.record import present
from oneshot.errors import ConfigError
from oneshot.graph.graph import Graph
from oneshot.methods.base import MetaOptimizer, SearchConfig
from oneshot.methods.published import get_title
from oneshot.methods.recipes import contradictions
from oneshot.methods.registry import get_method
from oneshot.mixed import pruned_mask
from oneshot.parts.base import PartSettings
from oneshot.parts.registry import build_parts, check_parts, record_parts
from oneshot.search import pictures
from oneshot.search.record import load_scorer, parse_record
from oneshot.search.report import SearchResult
from oneshot.search.scorer import Scorer, unscored
from oneshot.search.settings import SearchSettings, build_config, build_part_settings
from oneshot.spaces.registry import get_space
from oneshot.training.distributed import ProcessGroup
from oneshot.training.environment import Environment
from oneshot.training.images import Batches, SearchImages
from oneshot.training.memory import advising
from oneshot.training.metrics import Outcome
from oneshot.training.session import Files, TrainingJob, TrainingTask
from oneshot.training.trainer import Epoch, Trainer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_T = TypeVar("_T")
_Half = tuple[Tensor, Tensor]  # images (N, 3, H, W), labels (N,)
_Batch = tuple[_Half, _Half]  # training and validation images


@dataclass(frozen=True, eq=False)
class SearchJob(TrainingJob["SearchTask"]):
    """Checked settings and images of a search."""

    #: images of the two halves
    images: SearchImages
    #: settings of the search
    settings: SearchSettings
    #: settings of the method
    config: SearchConfig
    #: table that scores cells; None in a space without a benchmark
    scorer: Scorer | None
    #: settings of the parts, without neutral ones
    parts: tuple[PartSettings, ...] = ()

    @classmethod
    def create(
        cls,
        settings: SearchSettings | None,
        config: SearchConfig | None,
        environment: Environment | None,
        group: ProcessGroup,
        parts: Sequence[PartSettings] | None = None,
    ) -> Self:
        """Return the job of a new search; None stands for defaults."""
        settings, environment = settings or SearchSettings(), environment or Environment()
        kind = get_method(settings.method).config_class
        config = config or build_config(settings)
        if type(config) is not kind:
            raise ConfigError(
                f"the config of {settings.method} must be a {kind.__name__}, got {type(config).__name__}"
            )
        group.device(environment.device)  # raises an error if it does not exist
        in_benchmark = get_space(settings.space).in_benchmark
        scorer = Scorer(settings.dataset, environment.store) if in_benchmark else None
        images = _load_images(settings, config, environment, group)
        notes = contradictions(settings.recipe, config, build_config(settings))
        part_settings = build_part_settings(settings) if parts is None else tuple(parts)
        for part in get_method(settings.method)(config, parts=build_parts(part_settings)).parts:
            part.check(settings)
            part.load(settings, scorer)
        return cls(images, settings, config, scorer, part_settings, environment=environment, notes=notes)

    @classmethod
    def resume(
        cls,
        path: Path,
        record: Mapping[str, Any],
        group: ProcessGroup,
        *,
        environment: Mapping[str, Any],
        settings: Mapping[str, Any] | None = None,
        config: Mapping[str, Any] | None = None,
        parts: Mapping[str, Any] | None = None,
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
        settings, config, parts
            Values that must agree with the recorded ones.
        """
        recorded, recorded_config, recorded_parts, before = parse_record(record, path)
        recorded.resumed(settings or {}, Environment)
        recorded_config.resumed(config or {}, Environment)
        check_parts(recorded_parts, parts or {}, Environment)
        now = before.updated(**environment)
        group.device(now.device)
        scorer = load_scorer(record, recorded, now, path)
        images = _load_images(recorded, recorded_config, now, group)
        images.check_recorded(record["data"], path)
        return cls(images, recorded, recorded_config, scorer, recorded_parts, environment=now)

    def record(self, environment: Environment, group: ProcessGroup) -> dict[str, Any]:
        """Return the contents of config.json."""
        return {
            "search": self.settings.to_json(),
            "config": self.config.to_json(),
            **({"parts": record_parts(self.parts)} if self.parts else {}),
            "places": environment.record(),
            "data": self.images.facts(),
            "table": self.scorer and self.scorer.table,
            **present(torch),
        }

    def build(self, device: torch.device, group: ProcessGroup) -> "SearchTask":
        """Return the search before its first step, initialized by the random numbers of the process."""
        with advising(_memory_advice(device)):
            return SearchTask(self, device, group)


class SearchEpoch(NamedTuple):
    """Values of an epoch of a search, in addition to its losses."""

    #: learning rate of the weights
    learning_rate: float
    #: temperature; None for a method without one
    tau: float | None


class SearchTask(TrainingTask[SearchResult]):
    """A running search.

    An epoch is one pass over the training half; each step also takes a batch of the validation half, which is
    repeated. With several processes, each has a part of every batch, and gradients are averaged over the
    whole batch.
    """

    splits = 2  # training and validation images

    def __init__(self, job: SearchJob, device: torch.device, group: ProcessGroup) -> None:
        settings, config = job.settings, job.config
        self.job, self.device, self.group = job, device, group
        self.space = get_space(settings.space)
        self.optimizer = _build_method(job, device, group)
        self.optimizer.validation = self.evaluation
        self.epochs = config.epochs + sum(part.extra_epochs() for part in self.optimizer.parts)
        self.name = get_title(settings.method, self.optimizer.name)
        self.stopped: str | None = None  # why a part ended the search before its last epoch
        self._follow()
        self.images_per_step = (2 if self.optimizer.alphas else 1) * config.batch
        self._train, self._val = job.images.halves(config.batch, device, group.part)
        self._scores = [self._scores_now()]
        self._architecture: Any = None  # the final one; its type depends on the space
        self.concluding = 0.0  # duration of the final selection in seconds
        self._last: _Batch  # last batch of the epoch

    def __len__(self) -> int:
        return len(self._train)

    def _follow(self) -> None:
        """Refer to the current supernet, which a part may rebuild."""
        self.parameters = [*self.optimizer.weights, *self.optimizer.alphas]
        self._edges = self.space.edges(self.optimizer.graph)

    def begin_epoch(self, epoch: int) -> None:
        """Update what depends on the epoch, such as the method's temperature."""
        self.optimizer.begin_epoch(epoch)
        self._follow()

    def batches(self, epoch: int, start: int) -> Iterator[_Batch]:
        """Yield a batch of each half per step."""
        val = self._val.forever(epoch * len(self) + start)
        return zip(self._train.epoch(epoch, start), val, strict=False)

    def step(self, batch: _Batch) -> Sequence[Outcome]:
        """Update weights and alphas by the method."""
        (_, labels_train), (_, labels_val) = batch
        step = self.optimizer.step(*batch)
        self._last = batch
        outcomes = [Outcome(step.logits_train, step.train_loss, labels_train)]
        if step.logits_val is not None and step.val_loss is not None:
            outcomes.append(Outcome(step.logits_val, step.val_loss, labels_val))
        return outcomes

    def end_epoch(self, epoch: int) -> SearchEpoch:
        """Update the learning rate, and let parts stop the search."""
        rate = self.optimizer.op_optimizer.param_groups[0]["lr"]
        self.optimizer.schedule.step()
        self._scores.append(self._scores_now())
        self.stopped = self.optimizer.end_epoch(epoch - 1, *self._last)
        if self.stopped is not None:
            self.epochs = epoch
        taus = self.optimizer.graph.get_all_edge_data("tau", self.optimizer.scope)
        return SearchEpoch(rate, float(taus[0]) if taus else None)

    def position(self, batch: int, bad_step: int) -> str:
        """Return the position within an epoch at which the search diverged."""
        return f"step {bad_step} of {len(self)}" if bad_step else f"its step {batch}"

    def row(self, epoch: Epoch[SearchEpoch]) -> Row:
        """Return the row of the log for an epoch."""
        train, val = epoch.splits
        validated = not np.isnan(val.loss)  # some methods use no validation images
        return {
            "epoch": epoch.number,
            "train_loss": train.loss,
            "train_accuracy": train.accuracy,
            "val_loss": val.loss if validated else None,
            "val_accuracy": val.accuracy if validated else None,
            "learning_rate": epoch.result.learning_rate,
            "tau": epoch.result.tau,
            **self._scored(self.chosen()),
            "images_per_second": epoch.images_per_second,
            "seconds": epoch.seconds,
        }

    def chosen(self) -> Any:  # type depends on the space
        """Return the final architecture, or the currently selected one before the final selection."""
        if self._architecture is not None:
            return self._architecture
        with self.optimizer.as_chosen() as graph:
            return self.space.architecture(graph)

    def _scored(self, architecture: Any) -> Row:  # type depends on the space
        """Return an architecture's columns of the log."""
        return unscored(architecture) if self.job.scorer is None else self.job.scorer.row(architecture)

    # The end

    @property
    def is_concluded(self) -> bool:
        """Whether the method has made its final selection."""
        return self._architecture is not None

    def evaluation(self, batch: int | None = None) -> Batches:
        """Return the validation half in batches without augmentation; None for the search's batch size."""
        size = self.job.config.batch if batch is None else batch
        return self.job.images.evaluation(size, self.device, self.group.part)

    def conclude(self, progress: bool) -> bool:
        """Let the method make its final selection, unless it has; return whether it did."""
        if self.is_concluded:
            return False

        def shown(items: Sequence[_T], unit: str) -> Iterable[_T]:
            return tracked(items, self.name, unit, len(items), shown=progress)

        with advising(self.memory_advice()):
            begin = time.perf_counter()
            self.optimizer.conclude(self.evaluation(), shown)
            self._architecture = self.chosen()
            self.concluding = time.perf_counter() - begin
        return True

    def conclusion(self) -> dict[str, Any]:  # plain values
        """Return the final architecture, if there is one, and the duration of its selection."""
        text = None if self._architecture is None else str(self._architecture)
        return {"architecture": text, "concluding": self.concluding}

    def load_conclusion(self, state: Mapping[str, Any]) -> None:
        """Restore a state that `conclusion` returned."""
        text = state["architecture"]
        self._architecture = None if text is None else self.space.read(text)
        self.concluding = float(state["concluding"])

    def result(self, trainer: Trainer[SearchEpoch], log: list[Row]) -> SearchResult:
        """Return the result so far; the supernet is evaluated only after the final selection."""
        architecture, mixed, path = self.chosen(), None, None
        if self.is_concluded:
            with advising(self.memory_advice()):
                if not self.optimizer.draws:  # otherwise each pass samples a new path
                    mixed = self.optimizer.evaluate(self.evaluation())
                with self.space.fixed_path(self.optimizer.graph, architecture):
                    path = self.optimizer.evaluate(self.evaluation())
        return SearchResult(
            settings=self.job.settings,
            config=self.job.config,
            complete=self.is_concluded,
            stopped=self.stopped,
            epochs=trainer.epoch,
            steps=trainer.steps,
            log=log,
            seconds=sum(row["seconds"] for row in log) + trainer.seconds + self.concluding,
            architecture=architecture,
            optimizer=self.optimizer,
            images=self.job.images.counts,
            mixed=mixed,
            path=path,
            benchmark=None if self.job.scorer is None else self.job.scorer.scores(architecture),
        )

    def result_files(self, result: SearchResult) -> Files:
        """Return the scores of the candidates after each epoch, if the method has alphas."""
        alphas = self._alphas()
        if alphas is None:
            return {}
        data, width = io.BytesIO(), alphas.values.shape[2]
        operations = [[*names, *[""] * (width - len(names))] for names in alphas.operations]
        np.savez(data, alphas=alphas.values, edges=alphas.edges, operations=operations)
        return {"alphas.npz": data.getbuffer()}

    def figures(self, result: SearchResult) -> "Mapping[str, Figure]":
        """Draw the pictures of a complete search."""
        if not result.complete:
            return {}
        settings = self.job.settings
        return pictures.draw_all(
            f"{self.name} on {Path(settings.dataset).name}, seed {settings.seed}",
            self.space.diagrams(result.architecture),
            result.log,
            self._scored(result.architecture),
            self.job.scorer,
            self._alphas(),
        )

    def memory_advice(self) -> str:
        """Return advice for a batch that does not fit in memory."""
        return _memory_advice(self.device)

    # Scores of the candidates

    def _scores_now(self) -> Tensor:
        if not self.optimizer.alphas:
            return torch.empty(0)
        rows = [
            self.optimizer.scores(edge).float().cpu().masked_fill(pruned_mask(edge.op), torch.nan)
            for edge in self._edges.values()
        ]
        return pad_sequence(rows, batch_first=True, padding_value=torch.nan)

    def _alphas(self) -> pictures.Alphas | None:
        """Return the scores of the candidates before and after each epoch; None without alphas.

        Scores of pruned candidates are NaN if the supernet was rebuilt without them. Edges with fewer
        candidates than others are padded with NaN.
        """
        if not self.optimizer.alphas:
            return None
        chosen = self.optimizer.choices(self._edges.values())
        operations = [self.space.candidates(edge) for edge in self._edges]
        return pictures.Alphas(torch.stack(self._scores).numpy(), list(self._edges), operations, chosen)

    # Checkpoints

    def state_dict(self) -> dict[str, Any]:  # tensors and plain values
        """Return weights, alphas, optimizers and the scores of candidates so far."""
        state = {"optimizer": self.optimizer.state_dict(), "strengths": torch.stack(self._scores)}
        return state | ({} if self.stopped is None else {"stopped": self.stopped})

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state that `state_dict` returned."""
        scores = state["strengths"]
        if scores.shape != (int(state["epoch"]) + 1, *self._scores[0].shape):
            raise ValueError(f"it has strengths of shape {tuple(scores.shape)}")
        self.optimizer.load_state_dict(state["optimizer"])
        self._follow()
        self._scores = list(scores)
        self.stopped = state.get("stopped")
        if self.stopped is not None:
            self.epochs = int(state["epoch"])


def _build_method(
    job: SearchJob, device: torch.device, group: ProcessGroup
) -> MetaOptimizer[Any]:  # Any: its settings
    """Return the method of a job with its supernet."""
    settings = job.settings
    optimizer = get_method(settings.method)(job.config, settings.amp, build_parts(job.parts))
    for part in optimizer.parts:
        part.load(settings, job.scorer)

    def build_space() -> Graph:
        cells = settings.cells
        for part in optimizer.parts:
            cells = part.cells(cells)
        return get_space(settings.space).build(job.images.classes, settings.channels, cells)

    optimizer.build_space = build_space
    optimizer.adapt_search_space(build_space(), device=device)
    if group.size > 1:
        optimizer.distribute(group)
    if settings.compile:
        optimizer.compile()
    return optimizer


def _load_images(
    settings: SearchSettings, config: SearchConfig, environment: Environment, group: ProcessGroup
) -> SearchImages:
    """Load the images of a search; raise a ConfigError if they do not fit its network and batches."""
    images = SearchImages(settings.dataset, environment, settings.seed, settings.split_list)
    images.check_sides(settings.space)
    for count in images.counts:
        if count < 2:
            raise ConfigError(f"each half of {settings.dataset} must have at least 2 images, got {count}")
        if config.batch > count:
            raise ConfigError(
                f"batch must be <= {count}, the number of images in a half of {settings.dataset},"
                f" got {config.batch}"
            )
    images.check_parts(config.batch, images.counts, group.size, group)
    if group.size > 1 and settings.compile:
        raise ConfigError("--compile does not support normalization over the batch of several processes")
    return images


def _memory_advice(device: torch.device) -> str:
    return f"on {device}; try a smaller --batch or --channels, or --amp"
