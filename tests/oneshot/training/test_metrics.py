import pytest
import torch
from torch.nn.functional import cross_entropy

from oneshot.spaces.nb201 import build_network
from oneshot.training.distributed import ProcessGroup
from oneshot.training.metrics import measure_accuracy


@pytest.mark.parametrize("classes", [5, 6])
def test_loss_and_accuracies_over_batches_of_several_sizes(classes):
    torch.manual_seed(0)
    network = build_network(6111, classes, channels=2, cells=1)
    images, labels = torch.randn(30, 3, 8, 8), torch.randint(0, classes, (30,))
    batches = list(zip(images.split([13, 13, 4, 0]), labels.split([13, 13, 4, 0]), strict=True))
    found = measure_accuracy(network, batches, classes, ProcessGroup())
    assert not network.training
    with torch.no_grad():
        logits = network(images)
    places = (logits > logits.gather(1, labels[:, None])).sum(1)
    assert found.loss == pytest.approx(cross_entropy(logits, labels).item(), rel=1e-5)
    assert found.top1 == pytest.approx(100 * (places == 0).double().mean().item())
    expected = None if classes == 5 else pytest.approx(100 * (places < 5).double().mean().item())
    assert found.top5 == expected
    assert measure_accuracy(network, batches, classes, ProcessGroup(), amp=True).loss == pytest.approx(
        found.loss, rel=0.05
    )
