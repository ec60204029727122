"""EPE-NAS: correlations of the responses of a network to images of the same class."""

import numpy as np
from torch import nn

from oneshot.errors import ProxyError
from oneshot.proxies.batch import Batch
from oneshot.proxies.correlation import correlations
from oneshot.proxies.passes import passes

_K = 1e-5  # the paper's constant for numerical stability
_MANY = 100  # with more classes, scores of classes are compared in pairs


def epe_nas(network: nn.Module, batch: Batch) -> float:
    """Return a score of the correlations of Jacobians within each class.

    The value of a class is the sum of log(|correlation| + k) over pairs of its images. The score is the sum
    of absolute values. With more than 100 classes, each value is divided by the number of images of its
    class, and the score is the mean over classes of the sum of absolute differences to other classes. A
    network that passes no information has the lowest score, about 0, because all correlations are 1.

    Raises
    ------
    ProxyError
        If the batch has no labels, or if all images have the same class.

    References
    ----------
    Lopes et al. 2021, arXiv:2102.08099, equations 4 to 6.
    """
    labels = batch.need_labels("epe_nas").numpy()
    classes = np.unique(labels)
    if len(classes) < 2:
        raise ProxyError(
            f"epe_nas needs two classes or more; all {len(labels)} images have class {classes[0]}"
        )
    gradients = passes(network, batch).input_gradients
    each = [np.log(np.abs(correlations(gradients[labels == label])) + _K) for label in classes]
    if batch.classes <= _MANY:
        return float(sum(abs(logs.sum()) for logs in each))
    sums = np.array([logs.sum() / len(logs) for logs in each])
    return float(np.abs(sums[:, None] - sums).sum() / len(classes))
