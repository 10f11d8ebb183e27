"""Of several strings, the model's own property head keeps the likeliest to hit the request."""

from pathlib import Path

import numpy as np
import pytest

from molvae.generation.proposals import Proposal, propose
from molvae.generator import MoleculeGenerator
from molvae.presets import DrawSettings

SLOTS = range(70)  # more than one tile


@pytest.fixture(scope="module")
def generator(tiny_model_file: Path) -> MoleculeGenerator:
    return MoleculeGenerator.load(tiny_model_file)


def written(generator: MoleculeGenerator, logp: float, shortlist: int) -> list[Proposal]:
    wanted = np.full((len(SLOTS), len(generator.normalizer.names)), np.nan)
    wanted[:, generator.normalizer.names.index("LogP")] = logp
    settings = DrawSettings(temperature=1.0, shortlist=shortlist)
    return propose(generator.model, SLOTS, wanted, 0, settings=settings, seed=2)


def test_a_longer_shortlist_comes_nearer_in_the_eyes_of_the_property_head(
    generator: MoleculeGenerator,
) -> None:
    column = generator.normalizer.names.index("LogP")
    misses = []
    for shortlist in (1, 4, 16):
        strings = [draw.symbols for draw in written(generator, 3.0, shortlist)]
        predicted = generator.model.predict_strings(strings)[:, column]
        misses.append(np.abs(predicted - 3.0).mean())
    assert misses[0] > misses[1] > misses[2]


def test_every_slot_has_its_one_draw(generator: MoleculeGenerator) -> None:
    assert [draw.slot for draw in written(generator, 3.0, 4)] == list(SLOTS)


def test_without_targets_nothing_is_shortlisted(generator: MoleculeGenerator) -> None:
    free = np.full((len(SLOTS), len(generator.normalizer.names)), np.nan)
    short, long = (
        propose(
            generator.model,
            SLOTS,
            free,
            0,
            settings=DrawSettings(temperature=0.2, shortlist=count),
            seed=2,
        )
        for count in (1, 16)
    )
    assert [draw.symbols for draw in short] == [draw.symbols for draw in long]
