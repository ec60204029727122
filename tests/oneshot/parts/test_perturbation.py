from functools import partial

import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_

from oneshot.errors import ConfigError, DivergedError
from oneshot.methods.darts import DARTS, DARTSConfig
from oneshot.methods.drnas import DrNAS
from oneshot.methods.gdas import GDAS, GDASConfig
from oneshot.methods.published import PUBLISHED_METHODS
from oneshot.methods.rsws import RSWS
from oneshot.parts.perturbation import Perturbation, PerturbationSettings
from oneshot.parts.registry import build_parts
from oneshot.search.session import SearchSession
from oneshot.search.settings import SearchSettings, build_config, build_part_settings
from oneshot.search.task import SearchJob
from oneshot.testing import MethodContract, batches, same, tiny

EPSILON = 0.03  # in the first epoch


def projected(offset, weights, epsilon):
    """Onto the box of ±epsilon, then the perturbed weights onto numbers of 0 to 1 that sum to 1."""
    moved = [
        min(max(w + min(max(d, -epsilon), epsilon), 0.0), 1.0)
        for w, d in zip(weights.tolist(), offset.tolist(), strict=True)
    ]
    return torch.tensor([each / sum(moved) for each in moved], dtype=weights.dtype) - weights


def plain_offsets(optimizer, data, kind, steps):
    """The offsets of SDARTS by the reference implementation of the graph, in the first epoch."""
    images, labels = data
    edges = list({edge.owner("alpha"): edge for edge in optimizer.supernet.mixed_edges()}.values())
    weights = [edge.alpha.detach().exp() / edge.alpha.detach().exp().sum() for edge in edges]
    offsets = [projected(torch.empty_like(w).uniform_(-EPSILON, EPSILON), w, EPSILON) for w in weights]

    def loss(offsets):
        for edge, offset in zip(edges, offsets, strict=True):
            edge.set("offset", offset, shared=True)
        return cross_entropy(optimizer.graph.interpret(images), labels)

    if kind == "adversarial":
        zeros = [torch.zeros_like(w) for w in weights]
        before = loss(zeros).item()
        for _ in range(steps):
            leaves = [offset.clone().requires_grad_() for offset in offsets]
            gradients = torch.autograd.grad(loss(leaves), leaves)
            offsets = [
                projected(leaf.detach() + 2 * EPSILON / steps * g.sign(), w, EPSILON)
                for leaf, g, w in zip(leaves, gradients, weights, strict=True)
            ]
        offsets = zeros if before > loss(offsets).item() else offsets
    for edge in edges:
        edge.pop("offset", None)
    return edges, offsets


class PerturbedContract(MethodContract):
    def reference_step(self, optimizer, train, val):
        turns = [(optimizer.op_optimizer, optimizer.weights, train)]
        turns.insert(
            0 if optimizer.config.first == "alphas" else 1, (optimizer.alpha_optimizer, optimizer.alphas, val)
        )
        for updated, parameters, (images, labels) in turns:
            edges = []
            if updated is optimizer.op_optimizer:
                (settings,) = self.parts
                edges, offsets = plain_offsets(optimizer, train, settings.perturb, settings.perturb_steps)
                for edge, offset in zip(edges, offsets, strict=True):
                    edge.set("offset", offset, shared=True)
            for parameter in [*optimizer.weights, *optimizer.alphas]:
                parameter.grad = torch.zeros_like(parameter)
            torch.autograd.backward(cross_entropy(optimizer.graph.interpret(images), labels))
            if updated is optimizer.op_optimizer or optimizer.config.clip_alphas:
                clip_grad_norm_(parameters, optimizer.config.grad_clip)
            updated.step()
            for edge in edges:
                edge.pop("offset", None)


@pytest.mark.contract
class TestRandom(PerturbedContract):
    method = DARTS
    parts = (PerturbationSettings("random"),)


@pytest.mark.contract
class TestAdversarial(PerturbedContract):
    method = DARTS
    parts = (PerturbationSettings("adversarial", perturb_steps=2),)


def search(method=DARTS, config=None, space=None, **settings):
    torch.manual_seed(0)
    optimizer = method(config, parts=[Perturbation(PerturbationSettings(**settings))])
    optimizer.adapt_search_space(tiny() if space is None else space)
    return optimizer


def offsets_within(optimizer, epoch=0):
    """The offsets while the weights are updated, and the mixture weights without them."""
    optimizer.begin_epoch(epoch)
    edges = {edge.owner("alpha"): edge for edge in optimizer.supernet.mixed_edges()}.values()
    with optimizer.parts[0].during_weights(batches(1)[0]):
        offsets = [edge.offset for edge in edges]
    assert not any(edge.has("offset") for edge in edges)
    return offsets, [edge.op.weights(edge).detach() for edge in edges]


@pytest.mark.parametrize("kind", ["random", "adversarial"])
def test_perturbed_weights_are_a_mixture(kind):
    optimizer = search(perturb=kind, perturb_steps=2)
    with torch.no_grad():
        for alpha in optimizer.alphas:
            alpha.mul_(5000)  # some candidates have a weight of nearly 0
    for offset, weights in zip(*offsets_within(optimizer, 40), strict=True):
        assert offset.any()
        assert (weights + offset >= -1e-7).all()
        torch.testing.assert_close((weights + offset).sum(), torch.tensor(1.0))


def test_the_perturbation_grows_over_the_epochs():
    optimizer = search(perturb="random", perturb_epsilon=0.15, perturb_epsilon_start=0.05)
    most = []
    for epoch in (0, 25, 49):
        torch.manual_seed(1)
        offsets, weights = offsets_within(optimizer, epoch)
        moved = [
            projected(torch.empty_like(w).uniform_(-e, e), w, e)
            for e in [0.05 + 0.1 * epoch / 50]
            for w in (torch.manual_seed(1) and weights)
        ]
        for left, right in zip(offsets, moved, strict=True):
            torch.testing.assert_close(left, right)
        most.append(max(float(offset.abs().max()) for offset in offsets))
    assert most == sorted(most)


def test_an_adversarial_perturbation_raises_the_loss():
    optimizer = search(perturb="adversarial", perturb_epsilon=0.3, perturb_epsilon_start=0.3)
    images, labels = batches(1)[0]
    before = cross_entropy(optimizer.graph(images), labels)
    with optimizer.parts[0].during_weights((images, labels)):
        assert cross_entropy(optimizer.graph(images), labels) > before
    assert optimizer.graph.training


def test_only_the_weights_see_it():
    """With one epsilon near 0, a step is one of the method, and the alphas' part is so with any."""
    data = batches(2)
    plain, near, far = (
        DARTS(),
        search(perturb="random", perturb_epsilon=1e-9, perturb_epsilon_start=0.0),
        None,
    )
    far = search(perturb="random", perturb_epsilon_start=0.3)
    torch.manual_seed(0)
    plain.adapt_search_space(tiny())
    for optimizer in (plain, near, far):
        optimizer.begin_epoch(0)
        optimizer.step(*data)
    for expected, small, great in zip(plain.alphas, near.alphas, far.alphas, strict=True):
        assert torch.equal(expected, small)
        assert torch.equal(expected, great)
    for expected, small in zip(plain.weights, near.weights, strict=True):
        torch.testing.assert_close(expected, small, rtol=1e-4, atol=1e-6)
    assert not same(far.weights, plain.weights)


@pytest.mark.parametrize(("method", "config"), [(DrNAS, None), (GDAS, GDASConfig(estimator="full"))])
@pytest.mark.parametrize("kind", ["random", "adversarial"])
def test_other_methods(method, config, kind):
    optimizer = search(method, config, perturb=kind, perturb_steps=1)
    optimizer.begin_epoch(0)
    assert optimizer.step(*batches(2)).train_loss.isfinite()


def test_a_neutral_perturbation_changes_nothing():
    assert PerturbationSettings().is_neutral
    assert build_parts([PerturbationSettings()]) == []


def test_what_has_no_meaning_is_an_error():
    with pytest.raises(ConfigError, match="perturbation needs all candidates of an edge in each pass; GDAS"):
        search(GDAS, perturb="random")
    with pytest.raises(ConfigError, match="perturbation changes the weights of mixed candidates; random"):
        search(RSWS, perturb="random")
    with pytest.raises(ConfigError, match="perturb_epsilon_start must be <= perturb_epsilon"):
        PerturbationSettings("random", perturb_epsilon_start=0.5)
    with pytest.raises(ValueError, match="perturb"):
        PerturbationSettings("other")


def test_alphas_that_are_no_numbers_stop_an_adversarial_search(tmp_path):
    settings = SearchSettings(channels=2, cells=1)
    config = DARTSConfig(epochs=2, batch=240)
    job = partial(
        SearchJob.create, settings, config, None, parts=[PerturbationSettings("adversarial", perturb_steps=1)]
    )
    with SearchSession.begin(job, tmp_path / "run") as session:
        session.run(stop=lambda: session.trainer.epoch == 1)
        checkpoint = (tmp_path / "run/checkpoint.pt").read_bytes()
        with torch.no_grad():
            session.task.optimizer.alphas[0].fill_(torch.nan)
        with pytest.raises(DivergedError, match=r"the loss became NaN or infinite at epoch 2, .*step 1 of 3"):
            session.run()
    assert (tmp_path / "run/checkpoint.pt").read_bytes() == checkpoint


@pytest.mark.parametrize("name", ["pc-darts", "sdarts-rs", "sdarts-adv"])
def test_published_methods_have_settings_with_sources(name):
    settings = SearchSettings(method=name, channels=8)
    config, parts = build_config(settings), build_part_settings(settings)
    assert (config.epochs, config.first, config.clip_alphas) == (50, "alphas", False)
    assert all(source for _, source in PUBLISHED_METHODS[name].settings.values())
    values = PUBLISHED_METHODS[name].values
    owned = [set(vars(each)) for each in (config, *parts)]
    assert values.keys() <= set().union(*owned)
    assert [part.name for part in build_parts(parts)] == (
        ["warm-up", "partial channels", "edge normalization"] if name == "pc-darts" else ["perturbation"]
    )
