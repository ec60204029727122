"""How differently a network responds to images of one class."""

import numpy as np
from torch import nn

from oneshot.errors import ProxyError
from oneshot.proxies.batch import Batch
from oneshot.proxies.correlation import correlations
from oneshot.proxies.passes import passes

_K = 1e-5  # the paper's constant for numerical stability
_MANY = 100  # classes, above which classes are compared in pairs


def epe_nas(network: nn.Module, batch: Batch) -> float:
    """Return the score of the correlations of the Jacobians of each class's images.

    Lopes et al. 2021, arXiv:2102.08099, equations 4 to 6: of each class the sum of log(|correlation| + k)
    over pairs of its images; the score is the sum of absolute values, and for more than 100 classes the mean
    over classes of the sum of absolute differences between classes. A network that passes no information has
    a score of about 0, the lowest: all correlations are 1.

    Raises
    ------
    ProxyError
        If all images are of one class.
    """
    labels = batch.need_labels("epe_nas").numpy()
    classes = np.unique(labels)
    if len(classes) < 2:
        raise ProxyError(f"epe_nas compares classes; all {len(labels)} images are of class {classes[0]}")
    gradients = passes(network, batch).input_gradients
    each = [np.log(np.abs(correlations(gradients[labels == label])) + _K) for label in classes]
    if batch.classes <= _MANY:
        return float(sum(abs(logs.sum()) for logs in each))
    sums = np.array([logs.sum() / len(logs) for logs in each])
    return float(np.abs(sums[:, None] - sums).sum() / len(classes))
