"""The loop of a training, on a line that is fitted to points."""

import math

import pytest
import torch

from oneshot.errors import DivergedError
from oneshot.training.distributed import ProcessGroup
from oneshot.training.metrics import Outcome
from oneshot.training.trainer import Stepping, Trainer


class Line(Stepping):
    """Two classes, told apart by the sign of a number; three batches of four in each of two epochs."""

    name, epochs, splits, images_per_step = "line", 2, 2, 4
    device, group = torch.device("cpu"), ProcessGroup()

    def __init__(self, rate=0.1):
        self.weight = torch.zeros(2, requires_grad=True)
        self.parameters = [self.weight]
        self.rate = rate
        self.began = []

    def __len__(self):
        return 3

    def begin_epoch(self, epoch):
        self.began.append(epoch)

    def batches(self, epoch, start):
        for number in range(start, 3):
            generator = torch.Generator().manual_seed(3 * epoch + number)
            yield torch.randn(4, 1, generator=generator) + 0.01 * torch.rand(1)  # the process's own numbers

    def step(self, batch):
        labels = (batch[:, 0] > 0).long()
        logits = batch * self.weight
        loss = torch.nn.functional.cross_entropy(logits, labels)
        (gradient,) = torch.autograd.grad(loss, self.weight)
        with torch.no_grad():
            self.weight -= self.rate * gradient
        return [Outcome(logits.detach(), loss.detach(), labels)]

    def end_epoch(self, epoch):
        return f"epoch {epoch}"

    def position(self, batch, bad_step):
        return f"batch {batch}, step {bad_step}"

    def state_dict(self):
        return {"weight": self.weight.detach().clone()}

    def load_state_dict(self, state):
        with torch.no_grad():
            self.weight.copy_(state["weight"])


@pytest.fixture(autouse=True)
def _own_random_numbers():
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        yield


def after(steps):
    """A `stop` that says so after a number of steps."""
    asked = iter([False] * steps)
    return lambda: next(asked, True)


def run(trainer, stop=lambda: False):
    epochs = []
    return trainer.run(stop, lambda: None, epochs.append), epochs


def test_epochs_have_the_measurements_of_their_steps():
    trainer = Trainer(Line())
    done, epochs = run(trainer)
    assert (done, trainer.is_complete, trainer.steps, trainer.task.began) == (True, True, 6, [0, 1])
    assert [(epoch.number, epoch.result) for epoch in epochs] == [(1, "epoch 1"), (2, "epoch 2")]
    train, val = epochs[1].splits
    assert train.loss < epochs[0].splits[0].loss
    assert train.accuracy == 100.0
    assert math.isnan(val.loss)  # no step has a second split
    assert epochs[0].seconds > 0
    assert epochs[0].images_per_second > 0


@pytest.mark.parametrize("steps", range(6))
def test_a_state_goes_on_to_the_same_end(steps):
    whole = Trainer(Line())
    _, expected = run(whole)
    torch.manual_seed(0)
    first = Trainer(Line())
    assert not run(first, after(steps))[0]
    state = first.state_dict()
    torch.manual_seed(9)
    second = Trainer(Line())
    second.load_state_dict(state)
    assert second.steps == steps
    done, epochs = run(second)
    assert (done, torch.equal(second.task.weight, whole.task.weight)) == (True, True)
    assert [epoch.splits[0] for epoch in epochs] == [epoch.splits[0] for epoch in expected[steps // 3 :]]


@pytest.mark.parametrize(("epoch", "batch"), [(3, 0), (-1, 0), (0, 3), (1, -1), (2, 1)])
def test_a_state_beyond_the_epochs_is_an_error(epoch, batch):
    trainer = Trainer(Line())
    state = trainer.state_dict() | {"epoch": epoch, "batch": batch}
    with pytest.raises(ValueError, match=f"it has epoch {epoch}, batch {batch}"):
        trainer.load_state_dict(state)


def test_a_loss_that_is_not_finite_is_seen_after_the_next_step_or_at_the_end_of_the_epoch():
    for on_step, batch in ((True, 2), (False, 3)):
        trainer = Trainer(Line(rate=math.inf))
        look = trainer.look if on_step else lambda: None
        message = f"the loss became NaN or infinite at epoch 1, batch {batch}, step 2"
        with pytest.raises(DivergedError, match=message):
            trainer.run(lambda: False, look, lambda epoch: None)


def test_a_parameter_that_is_not_finite_is_seen_at_the_end_of_an_epoch():
    trainer = Trainer(Line())

    def poison():
        if trainer.batch == 3:
            with torch.no_grad():
                trainer.task.weight.fill_(math.nan)

    with pytest.raises(DivergedError, match="weights became NaN or infinite at epoch 1, batch 3, step 0"):
        trainer.run(lambda: False, poison, lambda epoch: None)
