"""Proxies as their papers define them, written for small networks of plain modules in float64."""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812


def layers(network):
    return [module for module in network.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]


def outputs_of(network, images, kinds):
    """Return the outputs of the modules of some kinds, in the order in which they run."""
    outputs = []
    hooks = [
        module.register_forward_hook(lambda _, inputs, out: outputs.append((inputs[0], out)))
        for module in network.modules()
        if isinstance(module, kinds)
    ]
    logits = network(images)
    for hook in hooks:
        hook.remove()
    return logits, outputs


def gradients(network, batch):
    loss = F.cross_entropy(network(batch.images), batch.labels)
    return torch.autograd.grad(loss, [layer.weight for layer in layers(network)])


def grad_norm(network, batch):
    return sum(math.sqrt((gradient**2).sum()) for gradient in gradients(network, batch))


def snip(network, batch):
    pairs = zip(layers(network), gradients(network, batch), strict=True)
    return sum((layer.weight * gradient).abs().sum().item() for layer, gradient in pairs)


def plain(network, batch):
    pairs = zip(layers(network), gradients(network, batch), strict=True)
    return sum((layer.weight * gradient).sum().item() for layer, gradient in pairs)


def grasp(network, batch):
    weights = [layer.weight for layer in layers(network)]
    loss = F.cross_entropy(network(batch.images), batch.labels)
    first = torch.autograd.grad(loss, weights, create_graph=True)
    inner = sum((gradient * gradient.detach()).sum() for gradient in first)
    second = torch.autograd.grad(inner, weights)
    return -sum((weight * column).sum().item() for weight, column in zip(weights, second, strict=True))


def fisher(network, batch):
    logits, outputs = outputs_of(network, batch.images, (nn.Conv2d, nn.Linear))
    grads = torch.autograd.grad(F.cross_entropy(logits, batch.labels), [out for _, out in outputs])
    total = 0.0
    for (inputs, out), gradient in zip(outputs, grads, strict=True):
        each = (out * gradient).flatten(2).sum(2) if out.dim() == 4 else out * gradient
        weights = next(
            layer.weight[0].numel()
            for layer in layers(network)
            if layer.weight.shape[1] == inputs.shape[1]
            and layer.weight.shape[0] == out.shape[1]
            and layer.weight.dim() == out.dim()
        )
        total += sum(0.5 * (each[:, k] ** 2).mean().item() * weights for k in range(out.shape[1]))
    return total


def l2_norm(network, batch):
    return sum(math.sqrt((layer.weight.detach() ** 2).sum()) for layer in layers(network))


def jacobians(network, batch):
    images = batch.images.clone().requires_grad_()
    network(images).sum().backward()
    return images.grad.flatten(1).numpy()


def jacov(network, batch):
    values = np.linalg.eigvals(np.corrcoef(jacobians(network, batch))).real
    return -sum(math.log(v + 1e-5) + 1 / (v + 1e-5) for v in values)


def epe_nas(network, batch):
    rows, labels = jacobians(network, batch), batch.labels.numpy()
    sums = {
        c: np.log(np.abs(np.atleast_2d(np.corrcoef(rows[labels == c]))) + 1e-5).sum() for c in set(labels)
    }
    if batch.classes <= 100:
        return sum(map(abs, sums.values()))
    sums = {c: value / (labels == c).sum() for c, value in sums.items()}
    return sum(abs(a - b) for a in sums.values() for b in sums.values()) / len(sums)


def codes(network, batch):
    _, outputs = outputs_of(network, batch.images, nn.ReLU)
    return np.concatenate([(out > 0).flatten(1).numpy() for _, out in outputs], axis=1)


def nwot(network, batch):
    rows = codes(network, batch)
    kernel = [[(a == b).sum() for b in rows] for a in rows]
    return math.log(np.linalg.det(np.array(kernel, dtype=float)))


def swap(network, batch):
    return len(set(map(tuple, codes(network, batch).T)))


class _Nothing(nn.Module):
    def forward(self, x):
        return x


def without_norms(module):
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, _Nothing())
        else:
            without_norms(child)
    return module


def synflow(network, batch):
    """Return the score; the network is changed."""
    network = without_norms(network)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()
        for layer in layers(network):
            if layer.bias is not None:
                layer.bias.zero_()
    total = network(torch.ones(1, *batch.images.shape[1:], dtype=torch.float64)).sum()
    grads = torch.autograd.grad(total, [layer.weight for layer in layers(network)])
    return math.log1p(
        sum(
            (layer.weight * gradient).sum().item()
            for layer, gradient in zip(layers(network), grads, strict=True)
        )
    )


def zen(network, batch):
    """Return the score for the random numbers of a seed; the network is changed."""
    generator = torch.Generator().manual_seed(batch.seed)
    x, change = (torch.randn(batch.images.shape, generator=generator, dtype=torch.float64) for _ in range(2))
    with torch.no_grad():
        for layer in layers(network):
            layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator, dtype=torch.float64))
        ends = []
        for images in (x, x + 0.01 * change):
            _, outputs = outputs_of(network, images, nn.AdaptiveAvgPool2d)
            ends.append(outputs[0][0])
    response = (ends[0] - ends[1]).abs().sum((1, 2, 3)).mean().item()
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    return math.log(response) + sum(math.log(norm.running_var.mean().sqrt()) for norm in norms)


def meco(network, batch):
    _, outputs = outputs_of(network, batch.images, nn.Conv2d)
    return sum(np.linalg.eigvalsh(np.corrcoef(out[0].detach().flatten(1)))[0] for _, out in outputs)


def entropies(network, batch):
    x, found = batch.images, []
    for block in network:
        x = block(x)
        if x.dim() == 4:
            rows = x.detach().transpose(0, 1).flatten(1).numpy()
            values = np.linalg.eigvalsh(np.cov(rows, bias=True))
            shares = values[values > 0] / values.sum()
            found.append(-(shares * np.log(shares)).sum())
    return found


def az_expressivity(network, batch):
    return sum(entropies(network, batch))


def az_progressivity(network, batch):
    return min(np.diff(entropies(network, batch)))


def az_trainability(network, batch):
    x, ends = batch.images, []
    for block in network:
        x = block(x)
        if x.dim() == 4:
            ends.append(x)
    generator, scores = torch.Generator().manual_seed(batch.seed), []
    for before, after in reversed(list(zip(ends, ends[1:], strict=False))):
        signs = torch.randint(0, 2, after.shape, generator=generator).double() * 2 - 1
        (gradient,) = torch.autograd.grad(after, before, signs, retain_graph=True)
        if gradient.shape != signs.shape and gradient.shape[2] != signs.shape[2]:
            gradient = F.pixel_unshuffle(gradient, 2)
        n, _, h, w = signs.shape
        jacobian = torch.einsum("nihw,nohw->io", gradient, signs) / (n * h * w)
        largest = torch.linalg.svdvals(jacobian)[0].item()
        scores.append(2 - largest - 1 / (largest + 1e-6))
    return sum(scores) / len(scores)
