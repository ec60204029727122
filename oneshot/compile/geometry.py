"""How windows lie on an image: what kernels that move one over it have in common."""


def keeps_size(kernel, stride, padding, dilation):
    """Whether what comes out has the height and width of what goes in."""
    return all(s == 1 for s in stride) and all(
        2 * p == d * (k - 1) for k, p, d in zip(kernel, padding, dilation, strict=True)
    )


def by(sizes):
    """Such as 3x3."""
    return "x".join(map(str, sizes))
