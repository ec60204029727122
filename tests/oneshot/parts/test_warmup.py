import pytest
import torch

from oneshot.errors import ConfigError, GraphError
from oneshot.methods.darts import DARTS, DARTSConfig
from oneshot.methods.gdas import GDAS, GDASConfig
from oneshot.parts.warmup import WarmUp, WarmUpSettings
from oneshot.testing import batches, same, snapshot, tiny


def build(kind, config, parts=()):
    torch.manual_seed(0)
    method = kind(config, parts=parts)
    method.adapt_search_space(tiny())
    return method


@pytest.mark.parametrize(("kind", "config"), [(DARTS, DARTSConfig), (GDAS, GDASConfig)])
def test_alphas_stay_as_they_are_until_the_warm_up_is_over(kind, config):
    method = build(kind, config(epochs=3), [WarmUp(WarmUpSettings(warm_up=2))])
    train, val = batches(2)
    for epoch in range(3):
        weights, alphas = snapshot(method), [alpha.detach().clone() for alpha in method.alphas]
        method.begin_epoch(epoch)
        step = method.step(train, val)
        assert not same(snapshot(method), weights)
        assert same(list(method.alphas), alphas) == (epoch < 2)
        assert (step.logits_val is None, step.val_loss is None) == (epoch < 2, epoch < 2)


def test_a_second_order_step_is_one_of_the_weights_alone_in_the_warm_up():
    plain = build(DARTS, DARTSConfig(epochs=3), [WarmUp(WarmUpSettings(warm_up=1))])
    unrolled = build(DARTS, DARTSConfig(epochs=3, order=2), [WarmUp(WarmUpSettings(warm_up=1))])
    for method in (plain, unrolled):
        method.begin_epoch(0)
        method.step(*batches(2))
    assert same(snapshot(plain), snapshot(unrolled))


def test_a_warm_up_of_no_epochs_changes_nothing():
    alone, neutral = build(DARTS, DARTSConfig()), build(DARTS, DARTSConfig(), [WarmUp()])
    for method in (alone, neutral):
        method.begin_epoch(0)
        method.step(*batches(2))
    assert WarmUpSettings().is_neutral
    assert same(snapshot(alone), snapshot(neutral))


def test_a_warm_up_leaves_an_epoch_for_the_alphas():
    with pytest.raises(ConfigError, match=r"warm_up must leave an epoch .* it must be < 3 epochs, got 3"):
        DARTS(DARTSConfig(epochs=3), parts=[WarmUp(WarmUpSettings(warm_up=3))])
    with pytest.raises(ConfigError, match="warm_up must be an integer >= 0, got -1"):
        WarmUpSettings(warm_up=-1)


def test_a_part_alone_has_no_method():
    with pytest.raises(GraphError, match="warm-up has not been added to a method"):
        WarmUp().method  # noqa: B018
