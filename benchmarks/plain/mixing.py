"""What the plain supernets have in common: the weights of candidates, their sum, and the two updates."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812


class Nothing(nn.Module):
    def __init__(self, stride=1):
        super().__init__()
        self.stride = stride

    def forward(self, x):
        return x[:, :, :: self.stride, :: self.stride].mul(0.0)


def mixing(alphas, tau):
    """For each tensor of alphas the weights of its edges' candidates, and which were drawn, if any were."""
    if tau is None:
        return [(alpha.softmax(-1), None) for alpha in alphas]
    soft = [F.gumbel_softmax(alpha, tau, hard=True) for alpha in alphas]
    return [(weights, weights.argmax(-1).tolist()) for weights in soft]


def mixed(candidates, x, weights, drawn):
    """The weighted sum of what candidates make of x; of a draw, the drawn one alone."""
    if drawn is not None:
        return weights[drawn] * candidates[drawn](x)
    return sum(weight * op(x) for weight, op in zip(weights, candidates, strict=True))


class PlainSearch:
    """The two updates of a step by `backward()`, as the methods' own code has them."""

    def __init__(self, network, device="cpu"):
        self.network = network.to(device)
        alphas = list(self.network.alphas)
        weights = [p for p in self.network.parameters() if all(p is not alpha for alpha in alphas)]
        self.of_weights = torch.optim.SGD(weights, 0.025, 0.9, weight_decay=3e-4)
        self.of_alphas = torch.optim.Adam(alphas, 3e-4, (0.5, 0.999), weight_decay=1e-3)

    def step(self, data_train, data_val):
        for optimizer, (images, labels) in ((self.of_alphas, data_val), (self.of_weights, data_train)):
            optimizer.zero_grad()
            F.cross_entropy(self.network(images), labels).backward()
            nn.utils.clip_grad_norm_(optimizer.param_groups[0]["params"], 5.0)
            optimizer.step()
