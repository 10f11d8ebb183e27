"""A model as GuacaMol asks for one, against a restatement of what guacamol 0.5.5 does with it."""

from typing import NamedTuple, Protocol

import pytest
from rdkit import Chem, rdBase

from molvae.adapters.guacamol import GuacaMolGenerator
from molvae.config import GenerateConfig
from molvae.errors import ConfigError, UsageError
from molvae.generator import MoleculeGenerator

RAW = GenerateConfig(tier="raw")


class DistributionMatchingGenerator(Protocol):
    def generate(self, number_samples: int) -> list[str]: ...


def is_valid(smiles: str) -> bool:
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(smiles)
    return smiles != "" and mol is not None and mol.GetNumAtoms() > 0


def validity(model: DistributionMatchingGenerator, number_samples: int) -> float:
    molecules = model.generate(number_samples=number_samples)
    if len(molecules) != number_samples:
        raise ValueError("The model did not generate the correct number of molecules")
    return sum(map(is_valid, molecules)) / number_samples


def sample_unique(model: DistributionMatchingGenerator, number: int) -> list[str]:
    """Ask again for as many as are missing, ten times as many in all at most."""
    found: dict[str, None] = {}
    asked = 0
    while len(found) < number and asked < 10 * number:
        missing = number - len(found)
        asked += missing
        found |= dict.fromkeys(filter(is_valid, model.generate(missing)))
    return list(found)


class Called(NamedTuple):
    """A generator after two calls, and what they gave."""

    model: GuacaMolGenerator
    first: list[str]
    second: list[str]


@pytest.fixture(scope="module")
def raw(druglike: MoleculeGenerator) -> Called:
    model = GuacaMolGenerator(druglike, config=RAW, seed=1)
    return Called(model, model.generate(6), model.generate(6))


def test_guacamol_gets_as_many_valid_molecules_as_it_asks_for(druglike: MoleculeGenerator) -> None:
    assert validity(GuacaMolGenerator(druglike, seed=1), 10) == 1.0


def test_guacamol_gets_distinct_molecules_when_it_asks_again(druglike: MoleculeGenerator) -> None:
    model = GuacaMolGenerator(druglike, config=RAW, seed=1)
    twice = [*sample_unique(model, 6), *sample_unique(model, 6)]
    assert len(set(twice)) == 12


def test_calls_go_on_drawing_and_the_seed_decides_them_all(
    druglike: MoleculeGenerator, raw: Called
) -> None:
    assert set(raw.first).isdisjoint(raw.second)
    same = GuacaMolGenerator(druglike, config=RAW, seed=1)
    assert [same.generate(6), same.generate(6)] == [raw.first, raw.second]
    other = GuacaMolGenerator(druglike, config=RAW, seed=-1)
    assert set(other.generate(6)).isdisjoint([*raw.first, *raw.second])


def test_without_a_seed_one_is_drawn_and_told(druglike: MoleculeGenerator) -> None:
    seeds = {GuacaMolGenerator(druglike).seed for _ in range(3)}
    assert len(seeds) == 3


def test_each_call_is_accounted_for_and_can_be_drawn_alone(
    druglike: MoleculeGenerator, raw: Called
) -> None:
    summary = raw.model.summaries[1]
    assert (summary.tier, summary.requested) == ("raw", 6)
    assert 0.5 <= summary.acceptance <= 1.0
    alone = druglike.generate(6, config=RAW, seed=summary.seed)
    assert [molecule.smiles for molecule in alone] == raw.second


def test_duplicates_are_left_for_guacamol_to_count(raw: Called) -> None:
    assert RAW.unique
    assert raw.model.summaries[0].settings["unique"] is False


def test_molecules_that_were_not_found_are_empty_strings(druglike: MoleculeGenerator) -> None:
    never = GenerateConfig(smarts=("[Xe]",), max_tries=1)
    assert GuacaMolGenerator(druglike, config=never, seed=1).generate(3) == ["", "", ""]
    assert not is_valid("")


def test_what_cannot_be_drawn_is_refused(druglike: MoleculeGenerator) -> None:
    with pytest.raises(ConfigError, match="temperature"):
        GuacaMolGenerator(druglike, config=GenerateConfig(temperature=-1.0))
    with pytest.raises(UsageError, match="at least one molecule"):
        GuacaMolGenerator(druglike).generate(0)
