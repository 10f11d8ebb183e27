"""How near to the training set a molecule must be: the limit that held-out molecules set."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem

from molvae.chem.similarity import fingerprint, fingerprints
from molvae.config import DataConfig
from molvae.data import applicability, collection, molecules, prepare
from molvae.data.applicability import FEW, KEY, Applicability
from molvae.dataset import MoleculeDataset
from molvae.errors import ArtifactError
from tests.drugs import DRUGS

CONFIG = DataConfig(properties=("MW",), min_count=1, validation=0.2, test=0.2)


@pytest.fixture(scope="module")
def packed() -> np.ndarray:
    return fingerprints([Chem.MolFromSmiles(smiles) for _, smiles in DRUGS])


@pytest.fixture
def drugs(tmp_path: Path) -> Path:
    lines = [f"{smiles} {name}" for name, smiles in DRUGS[:40]]
    (tmp_path / "drugs.smi").write_text("\n".join(lines) + "\n")
    return tmp_path / "drugs.smi"


def prepared(table: Path, **changes: object) -> MoleculeDataset:
    return prepare.prepare([table], replace(CONFIG, **changes), jobs=0).dataset  # type: ignore[arg-type]


def test_a_twentieth_of_the_held_out_molecules_is_beyond_the_limit(packed: np.ndarray) -> None:
    split = np.where(np.arange(len(packed)) % 2, 1, 0)
    rule = Applicability.fit(packed, split, seed=0)
    mols = [Chem.MolFromSmiles(smiles) for _, smiles in DRUGS]
    from rdkit import DataStructs

    training = [fingerprint(mol) for mol in mols[::2]]
    near = [max(DataStructs.BulkTanimotoSimilarity(fingerprint(m), training)) for m in mols[1::2]]
    assert (rule.held_out, rule.training) == (len(near), 0)
    assert np.mean(np.array(near) < rule.limit) == pytest.approx(0.05, abs=0.01)


def test_training_molecules_stand_in_where_few_are_held_out(packed: np.ndarray) -> None:
    split = np.where(np.arange(len(packed)) < 10, 1, 0)
    rule = Applicability.fit(packed, split, seed=0)
    assert (rule.held_out, rule.training) == (10, FEW - 10)
    assert 0.0 < rule.limit < 0.5, "none of them is compared with itself"
    assert rule == Applicability.fit(packed, split, seed=0)
    assert str(rule) == (
        f"ood: nearest below {rule.limit:.2f}, as of 5% of 10 held-out and 90 training molecules"
    )


def test_the_fingerprints_of_a_dataset_are_those_of_its_training_molecules(drugs: Path) -> None:
    from molvae.chem.selfies import decode_canonical

    found = prepared(drugs)
    smiles = [
        decode_canonical(found.vocabulary.decode(found.molecule(at).tolist()))
        for at in found.members("train")
    ]
    expected = fingerprints([Chem.MolFromSmiles(text) for text in smiles])
    assert found.training_fingerprints is not None
    np.testing.assert_array_equal(found.training_fingerprints, expected)
    assert found.provenance[KEY]["held_out"] == len(found.members("validation"))


def test_fingerprints_can_be_left_out_and_nothing_else_changes(drugs: Path) -> None:
    found, without = prepared(drugs), prepared(drugs, fingerprints=False)
    assert without.training_fingerprints is None
    assert KEY not in without.provenance
    assert without.fingerprint == found.fingerprint


def test_a_large_training_set_keeps_no_fingerprints(
    drugs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = int((prepared(drugs).split == 0).sum())
    monkeypatch.setattr(prepare, "MOST_TRAINING", training - 1)
    assert prepared(drugs).training_fingerprints is None
    monkeypatch.setattr(prepare, "MOST_TRAINING", training)
    assert prepared(drugs).training_fingerprints is not None
    monkeypatch.setattr(collection, "MOST_FINGERPRINTS", 39)
    assert prepared(drugs).training_fingerprints is None
    assert collection.MOST_TRAINING == applicability.MOST_TRAINING


def test_once_they_are_too_many_no_fingerprint_is_computed(
    drugs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, computed = prepared(drugs), []
    monkeypatch.setattr(
        molecules, "fingerprints", lambda mols: computed.append(1) or fingerprints(mols)
    )
    monkeypatch.setattr(collection, "MOST_FINGERPRINTS", 10)
    monkeypatch.setattr(prepare, "CHUNK", 4)
    found = prepared(drugs)
    assert len(computed) == 12, "three chunks of four"
    assert found.training_fingerprints is None
    assert found.fingerprint == whole.fingerprint


@pytest.mark.parametrize(
    "plain", [{}, {"limit": "a"}, {"limit": 2.0}, {"limit": float("nan")}, {"held_out": -1}]
)
def test_a_header_that_cannot_be_is_refused(plain: dict[str, object]) -> None:
    whole = {"limit": 0.4, "held_out": 9, "training": 91, **plain} if plain else {}
    with pytest.raises(ArtifactError, match="the model is damaged: its applicability"):
        Applicability.from_dict(whole)
