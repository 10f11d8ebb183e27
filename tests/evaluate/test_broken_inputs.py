"""Deliberately broken sets of molecules give what the definitions of the metrics demand."""

import numpy as np
import pytest
from rdkit import Chem

from molvae.evaluate.report import evaluate
from tests.drugs import DRUGS

TRAINING = [smiles for _, smiles in DRUGS[:60]]
HELD_OUT = [smiles for _, smiles in DRUGS[60:90]]
SUITES = ("basic", "moses")
# The same number under the name that each suite has for it.
VALID = {"basic": "validity", "moses": "valid"}
NOVEL = {"basic": "novelty", "moses": "Novelty", "guacamol": "novelty"}
UNIQUE = {"basic": "uniqueness", "moses": "unique@1000"}
DIVERSE = {"basic": "IntDiv1", "moses": "IntDiv"}


def numbers(generated, suite: str, **more) -> dict[str, float | None]:
    sets = {"training": TRAINING, "reference": HELD_OUT, "memorization": True} | more
    values = evaluate(generated, suite=suite, fcd=False, **sets).values
    return {name: value for name, value in values.items() if not isinstance(value, dict)}


@pytest.mark.parametrize("suite", SUITES)
def test_a_copy_of_the_training_set(suite: str) -> None:
    found = numbers(TRAINING, suite, reference=TRAINING)
    assert found[NOVEL[suite]] == 0
    assert found[VALID[suite]] == found[UNIQUE[suite]] == 1
    assert found["training_similarity"] == found["training_similarity_reference"]
    assert found["training_similarity"] == pytest.approx(1)
    assert found["near_copies"] is None  # nothing is novel
    if suite == "moses":
        assert [found[f"{name}/Test"] for name in ("SNN", "Frag", "Scaf")] == pytest.approx([1] * 3)
    else:
        assert found["symbol_distance"] == found["ring_size_distance"] == 0
        assert found["symbols_missing"] == 0


@pytest.mark.parametrize("suite", SUITES)
def test_one_molecule_again_and_again(suite: str) -> None:
    found = numbers(["CC(=O)Oc1ccccc1C(=O)O"] * 25, suite)
    assert found[UNIQUE[suite]] == 1 / 25
    assert found[DIVERSE[suite]] == pytest.approx(0, abs=1e-6)
    assert found[NOVEL[suite]] == 0


@pytest.mark.parametrize("suite", SUITES)
def test_half_invalid(suite: str) -> None:
    broken = [text for smiles in TRAINING for text in (smiles, "C1CC")]
    assert numbers(broken, suite) == numbers(TRAINING, suite) | {VALID[suite]: 0.5}


@pytest.mark.parametrize("suite", SUITES)
def test_mirror_images_differ_in_name_alone(suite: str) -> None:
    pair = ["C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O"]
    found = numbers(pair, suite, training=pair[:1] * 5)
    assert found[UNIQUE[suite]] == 1
    assert found[NOVEL[suite]] == 0.5
    assert found[DIVERSE[suite]] == 0
    assert found["near_copies"] == 1
    if suite == "basic":
        assert found["novelty_without_stereo"] == 0
        flat = numbers(["CC(N)C(=O)O"], suite)
        assert found["symbol_distance"] == flat["symbol_distance"]


@pytest.mark.parametrize("suite", SUITES)
def test_double_bonds_in_place_or_aromatic(suite: str) -> None:
    mols = [Chem.MolFromSmiles(smiles) for smiles in TRAINING[20:50]]
    kekule = [Chem.MolToSmiles(mol, kekuleSmiles=True) for mol in mols]
    assert all("c" not in smiles.replace("Sc", "") or "[" in smiles for smiles in kekule)
    expected = numbers(TRAINING[20:50], suite)
    assert numbers(kekule, suite) == pytest.approx(expected)
    assert numbers(TRAINING[20:50], suite, training=kekule)[NOVEL[suite]] == 0


MAPPED = ["[CH3:1][CH2:2][OH:3]", "[CH3:1][C:2](=[O:3])[NH2:4]", "[cH:1]1ccccc1"]


@pytest.mark.parametrize("suite", [*SUITES, "guacamol"])
def test_atom_maps_change_no_number(suite: str) -> None:
    bare = ["CCO", "CC(N)=O", "c1ccccc1"]
    for training in (bare, MAPPED):
        found = evaluate(MAPPED, suite=suite, fcd=False, training=training, reference=bare)
        expected = evaluate(bare, suite=suite, fcd=False, training=bare, reference=bare)
        assert found.values == expected.values
        assert found.values[NOVEL[suite]] == 0
        assert found.counts == expected.counts | {"atom_maps": 3}
        assert any(note.startswith("strings with atom-map numbers: 3.") for note in found.notes)


@pytest.mark.parametrize("suite", [*SUITES, "guacamol"])
def test_salts_and_ions_of_training_molecules_are_told(suite: str) -> None:
    salts = ["CCN.Cl", "CC(=O)[O-].[Na+]", "CC(=O)[O-]", "CC[NH3+]", "C[N+](C)(C)C.[Cl-]"]
    found = evaluate(salts, suite=suite, fcd=False, training=["CCN", "CC(=O)O"])
    assert found.values[NOVEL[suite]] == 1
    assert found.counts["mixtures"] == 3
    assert found.counts["known_parents"] == 4
    notes = " ".join(found.notes)
    assert "salts and mixtures: 3. All numbers are of the whole." in notes
    assert "novel because they are salts or ions: 4. In the standard form of molvae" in notes


def test_place_holders_are_counted() -> None:
    found = evaluate(["*CCO", "[*:1]CC[*:2]", "CCO"], fcd=False)
    assert found.values["validity"] == 1
    assert (found.counts["place_holders"], found.counts["atom_maps"]) == (2, 1)
    assert any("place holders (*): 2." in note for note in found.notes)


def test_ordinary_molecules_have_no_such_counts() -> None:
    found = evaluate(TRAINING, fcd=False, training=TRAINING)
    assert not {"atom_maps", "place_holders", "known_parents"} & found.counts.keys()


@pytest.mark.parametrize("suite", SUITES)
def test_nothing_in_many_ways(suite: str) -> None:
    nothing = ["", " ", "\t", None, float("nan"), "\ufeff", "nan", "None"]
    found = numbers(nothing, suite)
    assert found.pop(VALID[suite]) == 0
    found = {name: value for name, value in found.items() if not name.endswith("_reference")}
    assert set(found.values()) == {None}


@pytest.mark.parametrize("suite", SUITES)
def test_a_single_molecule(suite: str) -> None:
    found = numbers(["Clc1ccccc1"], suite)
    assert found[VALID[suite]] == found[UNIQUE[suite]] == found[NOVEL[suite]] == 1
    assert found[DIVERSE[suite]] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("suite", SUITES)
def test_molecules_without_rings(suite: str) -> None:
    chains = ["C" * length for length in range(1, 11)]
    found = evaluate(chains, suite=suite, fcd=False, training=TRAINING, reference=HELD_OUT)
    assert np.isclose(found.values["rings"]["odd_rings"]["generated"], 0)
    assert found.values["rings"]["aromatic_atoms"]["generated"] == 0
    if suite == "moses":
        assert found.values["Scaf/Test"] is None
    else:
        assert found.values["ring_precedence"] == 1  # there is none without a precedent
        assert found.values["ring_size_distance"] is None
        assert 0 < found.values["symbol_distance"] < 1
