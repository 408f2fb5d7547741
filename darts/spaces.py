"""The named search spaces: S1 to S5 and DARTS, as data.

Source: RobustDARTS (Zela et al. 2020, arXiv:1909.09656) for S1 to S4, which SmoothDARTS (Chen & Hsieh 2020,
arXiv:2002.05283) took over; DARTS (Liu et al. 2019, arXiv:1806.09055) for the space of eight primitives.
"""

from darts.space import SearchSpace

_MAX, _AVG, _SKIP = "max_pool_3x3", "avg_pool_3x3", "skip_connect"
_SEP3, _SEP5, _DIL3, _DIL5 = "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5"

S1 = SearchSpace(
    name="s1",
    normal=(
        (_SKIP, _DIL3),
        (_SKIP, _DIL5),
        (_SKIP, _DIL5),
        (_SKIP, _SEP3),
        (_SKIP, _DIL3),
        (_MAX, _SKIP),
        (_SKIP, _SEP3),
        (_SKIP, _SEP3),
        (_SKIP, _DIL3),
        (_SKIP, _SEP3),
        (_MAX, _SKIP),
        (_SKIP, _DIL3),
        (_DIL3, _DIL5),
        (_DIL3, _DIL5),
    ),
    reduction=(
        (_MAX, _AVG),
        (_MAX, _DIL3),
        (_MAX, _AVG),
        (_MAX, _AVG),
        (_SKIP, _DIL5),
        (_MAX, _AVG),
        (_MAX, _SEP3),
        (_SKIP, _DIL3),
        (_SKIP, _DIL5),
        (_MAX, _AVG),
        (_MAX, _AVG),
        (_SKIP, _DIL5),
        (_SKIP, _DIL5),
        (_SKIP, _DIL5),
    ),
)
S2 = SearchSpace.uniform("s2", (_SKIP, _SEP3))
S3 = SearchSpace.uniform("s3", ("none", _SKIP, _SEP3))
S4 = SearchSpace.uniform("s4", ("noise", _SEP3))
S5 = SearchSpace.uniform("s5", (_MAX, _AVG, _SKIP, _SEP3, _SEP5, _DIL3, _DIL5))
"""SmoothDARTS' S5: seven primitives, without ``none`` (RobustDARTS' S5 is :data:`DARTS`)."""
DARTS = SearchSpace.uniform("darts", ("none", _MAX, _AVG, _SKIP, _SEP3, _SEP5, _DIL3, _DIL5))

SPACES = {space.name: space for space in (S1, S2, S3, S4, S5, DARTS)}
"""The named spaces by name."""
