import numpy as np
import pytest

from molvae.chem.smiles import Standardization, standardize
from molvae.evaluate.training import IndexedMolecules, KnownMolecules, Training
from molvae.evaluate.work import Work
from molvae.training_index import BloomFilter, molecule_hash
from tests.drugs import DRUGS

SMILES = [smiles for _, smiles in DRUGS]


def indexed(smiles: list[str], standardization: Standardization, jobs: int = 0) -> IndexedMolecules:
    forms = [standardize(text, standardization)[0] for text in smiles]
    return IndexedMolecules(BloomFilter.of(molecule_hash(forms)), standardization, jobs)


def test_bad_rows_of_a_training_set_are_counted() -> None:
    known = KnownMolecules.of(["CCO", "OCC", "C1CC", ""])
    assert known.molecules.tolist() == molecule_hash(["CCO"]).tolist()
    assert known.invalid == 2


def test_worker_processes_find_the_same_training_set() -> None:
    here, there = (KnownMolecules.of(SMILES[:40], Work(jobs)) for jobs in (0, 2))
    assert there.molecules.tolist() == here.molecules.tolist()
    assert there.flat.tolist() == here.flat.tolist()


def test_stereo_is_kept_apart_only_where_there_is_any() -> None:
    assert not KnownMolecules.of(["CCO"]).has_stereo
    assert KnownMolecules.of(["CCO", "C[C@H](N)C(=O)O"]).has_stereo


def test_an_index_knows_every_molecule_of_its_training_set() -> None:
    index = indexed(SMILES[:150], Standardization())
    assert index.contains(SMILES[:150]).all()
    assert index.contains(SMILES[150:]).mean() < 0.05


def test_an_index_compares_in_the_form_that_the_model_was_trained_on() -> None:
    flat = indexed(["C[C@H](N)C(=O)O", "CN(C)C"], Standardization())
    assert flat.contains(["C[C@@H](N)C(=O)O", "C[NH+](C)C.[Cl-]"]).tolist() == [True, True]
    whole = indexed(["C[C@H](N)C(=O)O"], Standardization(stereo=True))
    assert whole.contains(["C[C@@H](N)C(=O)O", "C[C@H](N)C(=O)O"]).tolist() == [False, True]


def test_what_the_model_would_refuse_is_not_in_its_training_set() -> None:
    everything = BloomFilter(np.full(64, 255, dtype=np.uint8), 3)
    index = IndexedMolecules(everything, Standardization())
    assert index.contains(["CC*", "CCO"]).tolist() == [False, True]


def test_an_index_in_worker_processes_answers_the_same() -> None:
    here, there = (indexed(SMILES[:20], Standardization(), jobs) for jobs in (0, 2))
    np.testing.assert_array_equal(here.contains(SMILES[:40]), there.contains(SMILES[:40]))


@pytest.mark.parametrize(
    "training", [KnownMolecules.of(["CCO"]), indexed(["CCO"], Standardization())]
)
def test_both_kinds_are_training_sets_and_a_list_is_none(training: object) -> None:
    assert isinstance(training, Training)
    assert not isinstance(["CCO"], Training)
