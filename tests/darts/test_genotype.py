from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import darts

CELL = (
    *(("sep_conv_3x3", 0), ("skip_connect", 1)),
    *(("dil_conv_3x3", 2), ("max_pool_3x3", 0)),
    *(("skip_connect", 0), ("sep_conv_5x5", 3)),
    *(("dil_conv_5x5", 4), ("avg_pool_3x3", 1)),
)


def test_published_genotypes_survive_json(
    reference: dict[str, Any], genotype_of: Callable[[dict[str, Any]], darts.Genotype]
) -> None:
    for values in reference["genotypes"].values():
        genotype = genotype_of(values)
        assert darts.Genotype.from_json(genotype.to_json()) == genotype
        assert darts.Genotype(normal=values["normal"], reduction=values["reduce"]) == genotype


def test_edges_name_their_target_node() -> None:
    genotype = darts.Genotype(normal=CELL, reduction=CELL)
    assert genotype.edges(reduction=False)[4:6] == (("skip_connect", 0, 4), ("sep_conv_5x5", 3, 4))
    assert genotype.count("skip_connect") == 4


@pytest.mark.parametrize(
    ("normal", "sentence"),
    [
        (CELL[:-1], "has 7 edges; expected 2 per node"),
        ((("none", 0), *CELL[1:]), "node 2 holds 'none'; expected one of"),
        ((("conv", 0), *CELL[1:]), "node 2 holds 'conv'"),
        ((("skip_connect", 2), *CELL[1:]), "node 2 reads state 2; expected a state before it, 0 to 1"),
        ((("skip_connect", 1), *CELL[1:]), "reads state 1 twice"),
        (CELL[:2], "the normal cell has 2 edges, the reduction cell 8"),
        ((), "has 0 edges"),
        (("skip_connect",), "expected pairs"),
    ],
)
def test_what_is_no_discrete_architecture_is_refused(normal: Any, sentence: str) -> None:
    with pytest.raises(darts.GenotypeError, match=sentence):
        darts.Genotype(normal=normal, reduction=CELL)


def test_a_genotype_of_another_space_is_refused() -> None:
    with pytest.raises(darts.GenotypeError, match="edge 0 -> 2: space 's1' does not offer 'sep_conv_3x3' there"):
        darts.Genotype(normal=CELL, reduction=CELL).check_in(darts.S1)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("{", "not valid JSON"), ("3", "is a JSON object; found int"), ('{"normal": []}', "lacks the keys")],
)
def test_text_that_is_no_genotype_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(darts.GenotypeError, match=sentence):
        darts.Genotype.from_json(text)
