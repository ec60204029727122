"""The spaces S1 to S4 of RobustDARTS: cells of DARTS with two or three operations per edge.

Zela et al. 2020, arXiv:1909.09656, section 3. Operations and their order are as in `src/spaces.py` of the
authors' repository automl/RobustDARTS. The two operations per edge of S1 remained after the authors removed
the least important ones from the space of DARTS step by step.
"""

from oneshot.spaces.builtin import RobustDARTSSpace
from oneshot.spaces.genotype import NOISE

_SKIP, _SEPARABLE = "skip_connect", "sep_conv_3x3"
_MAX, _AVERAGE = "max_pool_3x3", "avg_pool_3x3"
_DILATED_3, _DILATED_5 = "dil_conv_3x3", "dil_conv_5x5"
_S1: dict[str, tuple[str, ...]] = {
    "normal 0→2": (_SKIP, _DILATED_3),
    "normal 1→2": (_SKIP, _DILATED_5),
    "normal 0→3": (_SKIP, _DILATED_5),
    "normal 1→3": (_SKIP, _SEPARABLE),
    "normal 2→3": (_SKIP, _DILATED_3),
    "normal 0→4": (_MAX, _SKIP),
    "normal 1→4": (_SKIP, _SEPARABLE),
    "normal 2→4": (_SKIP, _SEPARABLE),
    "normal 3→4": (_SKIP, _DILATED_3),
    "normal 0→5": (_SKIP, _SEPARABLE),
    "normal 1→5": (_MAX, _SKIP),
    "normal 2→5": (_SKIP, _DILATED_3),
    "normal 3→5": (_DILATED_3, _DILATED_5),
    "normal 4→5": (_DILATED_3, _DILATED_5),
    "reduction 0→2": (_MAX, _AVERAGE),
    "reduction 1→2": (_MAX, _DILATED_3),
    "reduction 0→3": (_MAX, _AVERAGE),
    "reduction 1→3": (_MAX, _AVERAGE),
    "reduction 2→3": (_SKIP, _DILATED_5),
    "reduction 0→4": (_MAX, _AVERAGE),
    "reduction 1→4": (_MAX, _SEPARABLE),
    "reduction 2→4": (_SKIP, _DILATED_3),
    "reduction 3→4": (_SKIP, _DILATED_5),
    "reduction 0→5": (_MAX, _AVERAGE),
    "reduction 1→5": (_MAX, _AVERAGE),
    "reduction 2→5": (_SKIP, _DILATED_5),
    "reduction 3→5": (_SKIP, _DILATED_5),
    "reduction 4→5": (_SKIP, _DILATED_5),
}
S1 = RobustDARTSSpace(
    "s1", "S1 of RobustDARTS: two operations per edge, as published", lambda edge: _S1.get(edge, ())
)
S2 = RobustDARTSSpace(
    "s2", "S2: skip connection and 3x3 separable convolution", lambda _: (_SKIP, _SEPARABLE)
)
S3 = RobustDARTSSpace("s3", "S3: S2 and none", lambda _: ("none", _SKIP, _SEPARABLE))
S4 = RobustDARTSSpace("s4", "S4: noise and 3x3 separable convolution", lambda _: (NOISE, _SEPARABLE))
