from pathlib import Path

import numpy as np
import pytest

from molvae.chem.selfies import encode
from molvae.chem.smiles import Standardization
from molvae.evaluate import references
from molvae.evaluate.inputs import source
from molvae.evaluate.parsed import parse_molecules
from molvae.evaluate.references import load_training_usage
from molvae.evaluate.report import evaluate
from molvae.evaluate.training import IndexedMolecules
from molvae.evaluate.usage import distance, usage_of
from molvae.evaluate.work import Work
from molvae.training_index import BloomFilter, molecule_hash
from tests.drugs import DRUGS

SMILES = [smiles for _, smiles in DRUGS]
TOLUENES = [f"c1ccccc1{'C' * n}" for n in range(1, 6)]  # benzene in five molecules
PYRIDINES = [f"c1ccncc1{'C' * n}" for n in range(1, 5)]  # pyridine in four


def test_a_molecule_has_precedent_when_all_its_ring_systems_do() -> None:
    generated = ["Clc1ccccc1", "Clc1ccccn1", "c1ccccc1-c1ccccn1", "C1CC1", "CCO", "", "C1CC"]
    found = evaluate(generated, training=[*TOLUENES, *PYRIDINES]).values
    assert found["ring_precedence"] == 2 / 5  # chlorobenzene, and ethanol, which has no ring
    assert evaluate(generated, training=PYRIDINES).values["ring_precedence"] == 1 / 5


def test_the_reference_is_a_yardstick_of_precedence() -> None:
    found = evaluate(["C1CC1"], training=TOLUENES, reference=["Fc1ccccc1", "C1CC1F", ""]).values
    assert (found["ring_precedence"], found["ring_precedence_reference"]) == (0, 0.5)


def test_a_ring_system_twice_in_a_molecule_is_one_precedent() -> None:
    biphenyls = [f"c1ccccc1-c1ccccc1{'C' * n}" for n in range(4)]
    assert evaluate(["Clc1ccccc1"], training=biphenyls).values["ring_precedence"] == 0
    assert (
        evaluate(["Clc1ccccc1"], training=[*biphenyls, "Cc1ccccc1"]).values["ring_precedence"] == 1
    )


def test_without_a_training_set_that_can_be_read_there_is_no_precedence() -> None:
    assert "ring_precedence" not in evaluate(["CCO"]).values
    assert "ring_precedence" not in evaluate(["CCO"], reference=["CCO"]).values
    index = BloomFilter.of(molecule_hash(["CCO"]))
    found = evaluate(["CCO"], training=IndexedMolecules(index, Standardization()))
    assert "ring_precedence" not in found.values
    assert any("ring precedence needs the training set itself" in note for note in found.notes)


def test_symbols_are_those_of_selfies_without_stereo() -> None:
    usage = usage_of(["C[C@H](N)C(=O)O", "OCC", "C1CC"])
    assert usage.molecules == 2
    assert usage.symbols == {
        symbol: [*encode("CC(N)C(=O)O"), *encode("CCO")].count(symbol) for symbol in usage.symbols
    }
    assert usage.holders["[C]"] == 2
    assert usage.holders["[N]"] == 1


def test_the_same_symbols_are_at_no_distance_and_others_at_one() -> None:
    same = evaluate(SMILES[:20], reference=SMILES[19::-1]).values
    assert same["symbol_distance"] == same["ring_size_distance"] == 0
    assert same["symbols_missing"] == 0
    apart = evaluate(["CCC"], reference=["ClCl"]).values
    assert apart["symbol_distance"] == 1
    assert apart["symbols_missing"] == 1
    assert apart["ring_size_distance"] is None


def test_symbols_are_compared_with_the_reference_or_else_with_the_training_set() -> None:
    both = evaluate(["CCC"], reference=["CCCC"], training=["CCl"]).values
    assert both["symbol_distance"] == 0
    alone = evaluate(["CCC"], training=["CCl"])
    assert alone.values["symbol_distance"] == 0.5
    assert any("compared set: [Cl]. With fewer than" in note for note in alone.notes)


def test_a_rare_symbol_is_not_missed() -> None:
    many = ["CCO"] * 1_999
    assert evaluate(["CCO"], training=[*many, "CCCl"]).values["symbols_missing"] == 0
    assert evaluate(["CCO"], training=[*many[1:], "CCCl", "CCl"]).values["symbols_missing"] == 1


def test_distance_by_hand() -> None:
    assert distance({6: 3, 5: 1}, {6: 1, 3: 1}) == pytest.approx(0.5 * (0.25 + 0.25 + 0.5))
    assert distance({}, {"a": 1}) is None


def test_stereo_marks_change_no_symbol_and_no_ring_system() -> None:
    chiral = [smiles for smiles in SMILES if "@" in smiles][:20]
    parsed = parse_molecules(chiral, (), usage=True)
    flat = parse_molecules(parsed.flat, (), usage=True)
    assert parsed.usage == flat.usage


def test_worker_processes_count_the_same() -> None:
    smiles = [*SMILES[:40], "", "C1CC"]
    assert usage_of(smiles, Work(2)) == usage_of(smiles)
    here, there = (parse_molecules(smiles, (), Work(jobs), usage=True) for jobs in (0, 2))
    assert here.usage == there.usage == usage_of(smiles)
    np.testing.assert_array_equal(here.system_counts, there.system_counts)
    np.testing.assert_array_equal(here.system_numbers, there.system_numbers)


def test_counts_of_a_training_set_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOLVAE_CACHE", str(tmp_path))
    for smiles in (SMILES[:30], ["CCO", "[Na+].[Cl-]"], []):
        molecules = source(smiles)
        first = load_training_usage(molecules, Work())
        unread = molecules._replace(read=lambda: pytest.fail("the molecules were read"))
        assert load_training_usage(unread, Work()) == first == usage_of(smiles)
    monkeypatch.setattr(references, "USAGE_VERSION", references.USAGE_VERSION + 1)
    load_training_usage(source(SMILES[:30]), Work())
    assert len(list((tmp_path / "references").glob("usage-*"))) == 4
