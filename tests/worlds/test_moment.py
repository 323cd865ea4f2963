"""Single pictures: every family can be caught at any moment, before, during and after its event."""

import pytest

from worldloom.worlds.caption.grammar import caption_truth
from worldloom.worlds.families import FAMILIES
from worldloom.worlds.stage import simulate


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_picture_of_any_moment_has_facts_and_captions(family: str) -> None:
    for seed in range(8):
        truth = simulate(family, seed, num_frames=1)
        assert truth["num_frames"] == 1 and truth["facts"]["outcome"] in FAMILIES[family].OUTCOMES
        captions = caption_truth(truth, 1)
        assert all(captions[language][length] for language in captions for length in captions[language])
