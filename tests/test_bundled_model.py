"""The models that ship: they write molecules, heed requests, and tell nothing of their maker."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from molvae.checkpoint import bundled_models, read_header
from molvae.chem.smiles import canonicalize
from molvae.config import DEFAULT_PROPERTIES, GenerateConfig
from molvae.generator import MoleculeGenerator

pytestmark = pytest.mark.skipif(
    not {"druglike", "moses"} <= bundled_models().keys(),
    reason="no bundled models in this checkout",
)
RAW = GenerateConfig(tier="raw")
CARDS = Path(__file__).parents[1] / "benchmarks" / "results"


@pytest.fixture(scope="module")
def druglike() -> MoleculeGenerator:
    return MoleculeGenerator.load("druglike")


def test_molecules_follow_their_targets(druglike: MoleculeGenerator) -> None:
    generation = druglike.generate(20, {"LogP": 2.5, "QED": 0.85}, seed=1)
    smiles = [molecule.smiles for molecule in generation.molecules]
    assert len(set(smiles)) == 20
    assert [canonicalize(one) for one in smiles] == smiles
    assert np.mean([m.properties["QED"] for m in generation.molecules]) > 0.7
    assert np.mean([m.properties["LogP"] for m in generation.molecules]) == pytest.approx(
        2.5, abs=0.8
    )
    assert not any(molecule.ood for molecule in generation.molecules)


@pytest.mark.parametrize(
    ("name", "low", "high", "apart"), [("LogP", 1.0, 4.0, 2.0), ("TPSA", 40.0, 100.0, 35.0)]
)
def test_two_requests_give_different_molecules(
    druglike: MoleculeGenerator, name: str, low: float, high: float, apart: float
) -> None:
    means = [
        np.mean([m.properties[name] for m in druglike.generate(100, {name: x}, config=RAW, seed=1)])
        for x in (low, high)
    ]
    assert means[1] - means[0] >= apart


def test_most_draws_need_no_repair(druglike: MoleculeGenerator) -> None:
    summary = druglike.generate(100, config=RAW, seed=1).summary
    assert summary.acceptance >= 0.6
    assert summary.uniqueness >= 0.95
    assert summary.novelty >= 0.9


@pytest.mark.parametrize("name", ["druglike", "moses"])
def test_it_knows_the_default_properties_and_has_a_card(name: str) -> None:
    generator = MoleculeGenerator.load(name)
    assert generator.normalizer.names == DEFAULT_PROPERTIES
    provenance = generator.checkpoint.provenance
    assert provenance["licence"]
    assert provenance["title"]
    assert set(provenance["measured"]["calibration"]) == set(DEFAULT_PROPERTIES)
    assert provenance["health"]["split"] == "test"
    assert all(provenance["health"]["passed"].values()), "its code is used"
    card = json.loads((CARDS / f"model_card_{name}.json").read_text("utf-8"))
    assert card["sha256"] == generator.checkpoint.sha256


def test_molecules_like_those_of_moses_follow_their_targets() -> None:
    generator = MoleculeGenerator.load("moses")
    drawn = generator.generate(40, {"LogP": 2.0}, seed=1)
    assert len({molecule.smiles for molecule in drawn.molecules}) == 40
    assert np.mean([m.properties["LogP"] for m in drawn.molecules]) == pytest.approx(2.0, abs=0.4)
    assert drawn.summary.acceptance > 0.8


def texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from (str(key), *texts(item))
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, str):
        yield value


@pytest.mark.parametrize("name", ["druglike", "moses"])
def test_the_file_is_small_and_names_no_path(name: str) -> None:
    path = bundled_models()[name]
    assert path.stat().st_size <= 16 * 2**20
    header = read_header(path)
    json.dumps(header, allow_nan=False)
    paths = re.compile(r"(^|[\s'\"=])(/|~|[A-Za-z]:\\)\w|\\\\")
    assert [text for text in texts(header["provenance"]) if paths.search(text)] == []
