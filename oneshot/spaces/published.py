"""Published architectures by name."""

from oneshot.spaces.genotype import Genotype, Hierarchy


def _genotype(normal: str, reduce: str) -> Genotype:
    """Return the genotype of two cells with four nodes, each given as "operation source, ..."."""
    cells = [[edge.split() for edge in cell.split(", ")] for cell in (normal, reduce)]
    edges = [tuple((op, int(source)) for op, source in cell) for cell in cells]
    return Genotype(edges[0], (2, 3, 4, 5), edges[1], (2, 3, 4, 5))


# Liu et al. 2019, arXiv:1806.09055: first order, second order; in their code, cnn/genotypes.py
DARTS_V1 = _genotype(
    "sep_conv_3x3 1, sep_conv_3x3 0, skip_connect 0, sep_conv_3x3 1,"
    " skip_connect 0, sep_conv_3x3 1, sep_conv_3x3 0, skip_connect 2",
    "max_pool_3x3 0, max_pool_3x3 1, skip_connect 2, max_pool_3x3 0,"
    " max_pool_3x3 0, skip_connect 2, skip_connect 2, avg_pool_3x3 0",
)
DARTS_V2 = _genotype(
    "sep_conv_3x3 0, sep_conv_3x3 1, sep_conv_3x3 0, sep_conv_3x3 1,"
    " sep_conv_3x3 1, skip_connect 0, skip_connect 0, dil_conv_3x3 2",
    "max_pool_3x3 0, max_pool_3x3 1, skip_connect 2, max_pool_3x3 1,"
    " max_pool_3x3 0, skip_connect 2, skip_connect 2, max_pool_3x3 1",
)
DARTS = DARTS_V2  # as in the authors' code
# Dong & Yang 2019, arXiv:1910.04465; in their code, AutoDL-Projects, as GDAS_V1
GDAS_V1 = _genotype(
    "skip_connect 0, skip_connect 1, skip_connect 0, sep_conv_5x5 2,"
    " sep_conv_3x3 3, skip_connect 0, sep_conv_5x5 4, sep_conv_3x3 3",
    "sep_conv_5x5 0, sep_conv_3x3 1, sep_conv_5x5 2, sep_conv_5x5 1,"
    " dil_conv_5x5 2, sep_conv_3x3 1, sep_conv_5x5 0, sep_conv_5x5 1",
)
# Xu et al. 2020, arXiv:1907.05737, on CIFAR-10 and on ImageNet; in their code as PC_DARTS_cifar, _image
PC_DARTS_CIFAR = _genotype(
    "sep_conv_3x3 1, skip_connect 0, sep_conv_3x3 0, dil_conv_3x3 1,"
    " sep_conv_5x5 0, sep_conv_3x3 1, avg_pool_3x3 0, dil_conv_3x3 1",
    "sep_conv_5x5 1, max_pool_3x3 0, sep_conv_5x5 1, sep_conv_5x5 2,"
    " sep_conv_3x3 0, sep_conv_3x3 3, sep_conv_3x3 1, sep_conv_3x3 2",
)
PC_DARTS_IMAGE = _genotype(
    "skip_connect 1, sep_conv_3x3 0, sep_conv_3x3 0, skip_connect 1,"
    " sep_conv_3x3 1, sep_conv_3x3 3, sep_conv_3x3 1, dil_conv_5x5 4",
    "sep_conv_3x3 0, skip_connect 1, dil_conv_5x5 2, max_pool_3x3 1,"
    " sep_conv_3x3 2, sep_conv_3x3 1, sep_conv_5x5 0, sep_conv_3x3 3",
)
# Chen et al. 2019, arXiv:1904.12760; in their code as PDARTS
PDARTS = _genotype(
    "skip_connect 0, dil_conv_3x3 1, skip_connect 0, sep_conv_3x3 1,"
    " sep_conv_3x3 1, sep_conv_3x3 3, sep_conv_3x3 0, dil_conv_5x5 4",
    "avg_pool_3x3 0, sep_conv_5x5 1, sep_conv_3x3 0, dil_conv_5x5 2,"
    " max_pool_3x3 0, dil_conv_3x3 1, dil_conv_3x3 1, dil_conv_5x5 3",
)
# Chen et al. 2021, arXiv:2006.10355; in their code as DrNAS_cifar10
DRNAS_CIFAR10 = _genotype(
    "sep_conv_3x3 0, sep_conv_5x5 1, sep_conv_3x3 1, sep_conv_3x3 2,"
    " skip_connect 0, sep_conv_3x3 1, sep_conv_3x3 2, dil_conv_5x5 3",
    "max_pool_3x3 0, sep_conv_5x5 1, dil_conv_5x5 2, sep_conv_5x5 1,"
    " sep_conv_5x5 1, dil_conv_5x5 3, skip_connect 4, sep_conv_5x5 1",
)
# Liu et al. 2018, arXiv:1711.00436: the figure in the appendix as NASLib reads it, with identities at edges
# without a label. Motifs are numbered from 0; in the paper from 1.
LIU2018 = Hierarchy(
    motifs=tuple(
        tuple(motif.split())
        for motif in (
            "max_pool_3x3 conv_1x1 depthwise_conv_3x3 sep_conv_3x3 conv_1x1 max_pool_3x3",
            "max_pool_3x3 depthwise_conv_3x3 depthwise_conv_3x3 conv_1x1 sep_conv_3x3 sep_conv_3x3",
            "sep_conv_3x3 depthwise_conv_3x3 sep_conv_3x3 sep_conv_3x3 skip_connect avg_pool_3x3",
            "avg_pool_3x3 sep_conv_3x3 sep_conv_3x3 skip_connect max_pool_3x3 avg_pool_3x3",
            "skip_connect sep_conv_3x3 skip_connect sep_conv_3x3 skip_connect sep_conv_3x3",
            "depthwise_conv_3x3 max_pool_3x3 max_pool_3x3 sep_conv_3x3 skip_connect avg_pool_3x3",
        )
    ),
    cell=(4, 2, 2, 2, 0, 2, 3, 4, 4, 4),
)
#: published architectures by name
PUBLISHED: dict[str, Genotype | Hierarchy] = {
    "DARTS_V1": DARTS_V1,
    "DARTS_V2": DARTS_V2,
    "DARTS": DARTS,
    "GDAS_V1": GDAS_V1,
    "PC_DARTS_CIFAR": PC_DARTS_CIFAR,
    "PC_DARTS_IMAGE": PC_DARTS_IMAGE,
    "PDARTS": PDARTS,
    "DRNAS_CIFAR10": DRNAS_CIFAR10,
    "LIU2018": LIU2018,
}


def published_names() -> str:
    """Return the names in PUBLISHED for messages, with other names of the same architecture in brackets.

    >>> published_names()
    'DARTS_V1, DARTS_V2 (or DARTS), GDAS_V1, PC_DARTS_CIFAR, PC_DARTS_IMAGE, PDARTS, DRNAS_CIFAR10, LIU2018'
    """
    names: dict[Genotype | Hierarchy, list[str]] = {}
    for name, architecture in PUBLISHED.items():
        names.setdefault(architecture, []).append(name)
    return ", ".join(first + "".join(f" (or {name})" for name in more) for first, *more in names.values())
