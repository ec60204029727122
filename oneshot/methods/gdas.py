"""GDAS: one candidate per edge, sampled by the Gumbel-softmax (Dong & Yang 2019, arXiv:1910.04465)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from data.loader import Batch
from nasbench.runs.settings import option
from oneshot.errors import ConfigError
from oneshot.graph.edge import EdgeData
from oneshot.methods.base import AlphaConfig, Parameters, Penalty, Step
from oneshot.methods.temperature import TemperatureMethod
from oneshot.mixed import Mixture


class Sample(NamedTuple):
    """A candidate sampled for a later pass."""

    #: Gumbel noise of an edge's candidates, shape ``(K,)``
    noise: Tensor
    #: number of the candidate with the highest sum of log-probability and noise
    number: int
    #: version of the alphas that it was sampled from; a change of them in place increases it
    version: int


def gumbel_noise(alpha: Tensor) -> Tensor:
    """Sample independent Gumbel noise of the shape of `alpha`."""
    return -torch.empty_like(alpha).exponential_().log()


def gumbel_softmax(alpha: Tensor, tau: float, noise: Tensor | None = None) -> Tensor:
    """Sample from the concrete distribution of softmax(alpha), shape (K,); ConfigError unless tau > 0.

    `noise` is the Gumbel noise, shape (K,), if it was sampled before.
    """
    if tau <= 0:
        raise ConfigError(f"tau must be positive, got {tau}")
    noise = gumbel_noise(alpha) if noise is None else noise
    return torch.softmax((alpha.log_softmax(dim=-1) + noise) / tau, dim=-1)


def gumbel_one_hot(alpha: Tensor, tau: float, sample: Sample | None = None) -> Tensor:
    """Sample a one-hot vector from softmax(alpha) with the gradient of the soft sample.

    Parameters
    ----------
    alpha
        Architecture parameters of one edge, shape ``(K,)``.
    tau
        Temperature, positive; lower is closer to one-hot.
    sample
        The sample, if it was taken before.

    Returns
    -------
    Tensor
        Shape ``(K,)``; exactly one entry is 1, all others are 0.

    Raises
    ------
    ConfigError
        If ``tau`` is not positive.

    References
    ----------
    Dong & Yang 2019, arXiv:1910.04465, equation 4.
    """
    soft = gumbel_softmax(alpha, tau, sample and sample.noise)
    hard = torch.zeros_like(soft)
    if sample is None:
        hard.index_fill_(0, soft.detach().argmax(), 1.0)
    else:
        hard[sample.number] = 1.0
    return hard + (soft - soft.detach())


class GumbelMixedOp(Mixture):
    """The estimator `sampled`: h_k o_k(x), with one candidate k sampled for each forward pass."""

    samples = one_hot = True

    def weights(self, edge: EdgeData) -> Tensor:
        return gumbel_one_hot(edge.alpha, edge.tau, self._sample(edge))

    def sampled(self, edge: EdgeData) -> int | None:
        sample = self._sample(edge)
        return None if sample is None else sample.number

    def _sample(self, edge: EdgeData) -> Sample | None:
        sample: Sample | None = edge.get("sample") if self.training else None
        return None if sample is None or sample.version != edge.alpha._version else sample


class AuthorsMixedOp(GumbelMixedOp):
    """The estimator `authors`: h_k o_k(x) plus the other weights h_j, which are 0 but have gradients."""

    adds_others = True


class FullMixedOp(GumbelMixedOp):
    """The estimator `full`: the sum of all h_j o_j(x), so every candidate contributes to the gradient."""

    one_hot = False


ESTIMATORS: dict[str, type[GumbelMixedOp]] = {
    "authors": AuthorsMixedOp,
    "sampled": GumbelMixedOp,
    "full": FullMixedOp,
}


@dataclass(frozen=True)
class GDASConfig(AlphaConfig):
    """Settings of GDAS (Dong & Yang 2019, arXiv:1910.04465), as in appendix A.1 of the NASLib paper."""

    epochs: int = option(250, "passes over the training half", at_least=1)
    estimator: str = option(
        "authors",
        "gradient of the alphas. authors: the sampled candidate's output times its weight, plus the other"
        " weights (value 0), as in NASLib and in AutoDL-Projects on NAS-Bench-201; sampled: the sampled"
        " candidate alone, as in AutoDL-Projects on the DARTS space; full: all candidates are computed, and"
        " each weight gets its own gradient",
        choices=tuple(ESTIMATORS),
    )
    tau_max: float = option(10.0, "temperature of the softmax in the first epoch", above=0)
    tau_min: float = option(0.1, "temperature in the last epoch; linear in between", above=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tau_max < self.tau_min:
            raise ConfigError(f"tau_min must be <= tau_max {self.tau_max}, got {self.tau_min}")


class GDAS(TemperatureMethod[GDASConfig]):
    """GDAS: DARTS' two steps, each along one sampled path, at a falling temperature.

    Weights h are one-hot, with the gradient of the soft sample. The setting `estimator` selects which of them
    the output y depends on, and therefore which weights have gradients:

    - `authors`: y = h_k o_k(x) + sum of h_j over j != k. The zeros are added for every element of y, so a
      candidate that was not sampled gets a gradient as if its output were all ones.
    - `sampled`: y = h_k o_k(x). Only the weight of the sampled candidate has a gradient.
    - `full`: y = sum of h_j o_j(x). Every candidate is computed, at about the cost of DARTS.

    Parameters
    ----------
    config, amp, parts
        As for `MetaOptimizer`.

    References
    ----------
    Dong & Yang 2019, arXiv:1910.04465, section 3.
    """

    name = "GDAS"
    config_class = GDASConfig

    def mixed(self, primitives: list[nn.Module]) -> GumbelMixedOp:
        return ESTIMATORS[self.config.estimator](primitives)

    def add_alphas(self, edge: EdgeData) -> None:
        super().add_alphas(edge)
        edge.set("sample", None, shared=True)

    def temperature(self, epoch: int) -> float:
        config = self.config
        elapsed = epoch / max(config.epochs - 1, 1)
        return config.tau_max + (config.tau_min - config.tau_max) * elapsed

    def step(self, data_train: Batch, data_val: Batch) -> Step:
        return self.two_updates(data_train, data_val)

    # Alphas do not change between a pass of the weights and the next pass of the alphas, so both are sampled
    # at the same time and read from the device in one transfer.

    @property
    def samples_ahead(self) -> bool:
        """Whether a pass of the weights also samples for the next pass of the alphas.

        Parts may change mixture weights for a pass, so with parts each pass samples for itself.
        """
        return not self.parts and ESTIMATORS[self.config.estimator].one_hot

    def train(self, data_train: Batch) -> tuple[Tensor, Tensor]:
        if not self.samples_ahead:
            return super().train(data_train)
        edges = self.supernet.searched_edges
        now, ahead = _sample_twice([edge.alpha for edge in edges])
        self._set_samples(now)
        outputs = super().train(data_train)
        self._set_samples(ahead)
        return outputs

    def update(
        self, optimizer: Optimizer, parameters: Parameters, data: Batch, penalty: Penalty | None = None
    ) -> tuple[Tensor, Tensor]:
        outputs = super().update(optimizer, parameters, data, penalty)
        if self.samples_ahead:
            self._set_samples([])
        return outputs

    def _set_samples(self, samples: Sequence[Sample]) -> None:
        """Set the samples of the next pass; without any, each edge is sampled in the pass."""
        for edge, sample in zip_longest(self.supernet.searched_edges, samples):
            edge.set("sample", sample, shared=True)

    def state_dict(self) -> dict[str, Any]:  # tensors and plain values
        samples = [edge.get("sample") for edge in self.supernet.searched_edges]
        return super().state_dict() | {"samples": [each[:2] for each in samples if each is not None]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        alphas = [edge.alpha for edge in self.supernet.searched_edges]
        self._set_samples(
            [
                Sample(noise.to(alpha.device), number, alpha._version)
                for alpha, (noise, number) in zip(alphas, state.get("samples", ()), strict=False)
            ]
        )


@torch.no_grad()
def _sample_twice(alphas: Sequence[Tensor]) -> tuple[list[Sample], list[Sample]]:
    """Sample from each edge's alphas, shape (K,), for two passes, with one transfer from the device."""
    noises = [gumbel_noise(alpha) for _ in range(2) for alpha in alphas]
    logits = [alpha.log_softmax(dim=-1) for alpha in alphas] * 2
    numbers = torch.stack([(x + noise).argmax() for x, noise in zip(logits, noises, strict=True)]).tolist()
    versions = [alpha._version for alpha in alphas] * 2
    samples = [Sample(*each) for each in zip(noises, numbers, versions, strict=True)]
    return samples[: len(alphas)], samples[len(alphas) :]
