"""Base class of the path methods that end with an evolutionary search on the trained supernet."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

from data.loader import Batch
from nasbench.runs.settings import option
from oneshot.errors import ConfigError
from oneshot.graph.edge import EdgeData
from oneshot.methods.base import ProgressBar
from oneshot.methods.paths import Path, PathConfig, PathMethod

# an edge's candidate, and the score by which a space decides which edges to leave out
Gene = tuple[int, float]
Genes = tuple[Gene, ...]  # one gene per searched edge
_TRIES = 10  # samples per wanted child before a smaller generation is accepted, as in SPOS's authors' code


@dataclass(frozen=True)
class EvolutionConfig(PathConfig):
    """Settings of the evolutionary search of Guo et al. 2020, arXiv:1904.00420."""

    # as for random search with weight sharing in the benchmark of NAS-Bench-201's authors
    epochs: int = option(250, "passes over the training half", at_least=1)
    # the next four: the paper's implementation details and the authors' code
    population: int = option(50, "paths per generation of the evolution at the end", at_least=2)
    generations: int = option(20, "generations of the evolution", at_least=1)
    parents: int = option(10, "best paths so far that produce the next generation", at_least=2)
    mutation: float = option(0.1, "probability that a mutation changes an edge", above=0, at_most=1)
    # 125 batches of 64: as many images as 40 batches of 200 in the authors' code
    batches: int = option(125, "validation batches that paths are compared on", at_least=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.parents > self.population:
            raise ConfigError(
                f"parents must be at most the population, {self.population}, got {self.parents}"
            )


E = TypeVar("E", bound=EvolutionConfig)


class EvolvedPathMethod(PathMethod[E]):
    """A method that trains random paths and selects the architecture by an evolutionary search over paths.

    Half of each generation consists of children of two parents, with either parent's gene at each edge; the
    other half consists of mutations of a parent. No path is evaluated twice; random paths complete a
    generation. A gene also has a score of the edge, so that spaces that leave edges out, such as the space of
    DARTS, can be searched. The supernet normalizes by the statistics of each batch, so paths need no
    calibration of statistics.

    References
    ----------
    Guo et al. 2020, arXiv:1904.00420, algorithm 1, without a constraint.
    """

    def find_path(
        self, first: Sequence[Batch], batches: Iterable[Batch], progress: ProgressBar | None
    ) -> Path:
        config = self.config
        scored: dict[Path, tuple[tuple[float, float], Genes]] = {}  # lower scores are better
        generation = self._new_genes(config.population, self._random, {})
        numbers = range(config.generations)
        for number in numbers if progress is None else progress(numbers, "generations"):
            for path, genes in generation.items():
                result = self.evaluate_path(path, first)
                scored[path] = (-result.accuracy, result.loss), genes
            best = sorted(scored.values(), key=lambda value: value[0])[: config.parents]
            if number + 1 < config.generations:
                generation = self._next_generation([genes for _, genes in best], scored)
        return min(scored, key=lambda path: scored[path][0])

    def _next_generation(self, parents: list[Genes], known: Iterable[Path]) -> dict[Path, Genes]:
        size = self.config.population
        sources = (
            (size - size // 2, lambda: self._cross(_pick(parents), _pick(parents))),
            (size // 2, lambda: self._mutate(_pick(parents))),
            (size, self._random),
        )
        generation: dict[Path, Genes] = {}
        for count, source in sources:
            wanted = min(count, size - len(generation))
            generation |= self._new_genes(wanted, source, [*known, *generation])
        return generation

    def _new_genes(self, count: int, source: Callable[[], Genes], known: Iterable[Path]) -> dict[Path, Genes]:
        """Sample up to `count` genes whose paths are not known; return them by path."""
        known = set(known)
        generation: dict[Path, Genes] = {}
        for _ in range(_TRIES * count):
            if len(generation) == count:
                break
            genes = source()
            path = self._decode(genes)
            if path not in known:
                generation.setdefault(path, genes)
        return generation

    def _decode(self, genes: Genes) -> tuple[int, ...]:
        """Return the path that genes encode."""
        by_owner = {edge.owner("best"): gene for edge, gene in zip(self.path_edges, genes, strict=True)}
        weak = self.weak_owners(lambda edge: by_owner[edge.owner("best")][1])
        return tuple(
            self.allowed(edge, False, weak=True)[0] if edge.owner("best") in weak else number
            for edge, (number, _) in zip(self.path_edges, genes, strict=True)
        )

    def _random(self) -> Genes:
        return tuple(map(self._random_gene, self.path_edges))

    def _random_gene(self, edge: EdgeData) -> Gene:
        return _pick(self.allowed(edge, self.may_select_none)), float(torch.rand(()))

    def _cross(self, first: Genes, second: Genes) -> Genes:
        takes = torch.randint(2, (len(first),)).tolist()
        return tuple(pair[take] for take, *pair in zip(takes, first, second, strict=True))

    def _mutate(self, genes: Genes) -> Genes:
        changes = torch.rand(len(genes)) < self.config.mutation
        return tuple(
            self._random_gene(edge) if change else gene
            for edge, gene, change in zip(self.path_edges, genes, changes.tolist(), strict=True)
        )


T = TypeVar("T")


def _pick(items: Sequence[T]) -> T:
    """Return one of the items at random."""
    return items[int(torch.randint(len(items), ()))]
