from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem, DataStructs

from molvae.chem.similarity import fingerprint
from molvae.errors import UsageError
from molvae.evaluate.inputs import source
from molvae.evaluate.references import load_training_fingerprints
from molvae.evaluate.report import evaluate
from molvae.evaluate.work import Work
from tests.drugs import DRUGS

SMILES = [smiles for _, smiles in DRUGS]
TRAINING, HELD_OUT = SMILES[:100], SMILES[100:160]


def near(generated, **more):
    return evaluate(generated, training=TRAINING, memorization=True, **more)


def largest(smiles: str) -> float:
    known = [fingerprint(Chem.MolFromSmiles(text)) for text in TRAINING]
    return max(DataStructs.BulkTanimotoSimilarity(fingerprint(Chem.MolFromSmiles(smiles)), known))


def test_the_nearest_training_molecules_are_those_of_a_loop() -> None:
    found = near(SMILES[90:120]).values
    expected = np.mean([largest(smiles) for smiles in SMILES[90:120]])
    assert found["training_similarity"] == pytest.approx(expected, abs=1e-6)


def test_a_copy_of_the_training_set_is_nothing_else_and_holds_no_new_molecule() -> None:
    found = near(TRAINING, reference=HELD_OUT).values
    assert found["training_similarity"] == pytest.approx(1)
    assert found["near_copies"] is None
    assert found["training_similarity_reference"] < 0.7


def test_a_novel_molecule_that_is_hardly_so_is_a_near_copy() -> None:
    chain = "C" * 20
    found = evaluate([chain, "c1ccncc1", ""], training=["C" * 19], memorization=True).values
    assert found["near_copies"] == 1 / 2


def test_the_reference_is_judged_as_the_generated_molecules_are() -> None:
    found = near(HELD_OUT, reference=[*HELD_OUT, ""])
    for name in ("training_similarity", "near_copies"):
        assert found.values[name] == found.values[f"{name}_reference"]
    assert (found.counts["nearest"], found.counts["nearest_reference"]) == (60, 60)
    assert any("60 of the reference" in note for note in found.notes)
    assert any("held out of training as reference" in note for note in near(HELD_OUT[:3]).notes)


def test_the_suite_moses_compares_with_its_test_set() -> None:
    basic, moses = (
        near(SMILES[90:120], reference=HELD_OUT, suite=suite, **more).values
        for suite, more in (("basic", {}), ("moses", {"fcd": False}))
    )
    for name in ("training_similarity", "training_similarity_reference"):
        assert basic[name] == moses[name]


def test_it_is_measured_where_it_was_asked_for() -> None:
    assert "training_similarity" not in evaluate(["CCO"], training=["CCO"]).values


def test_without_the_training_set_itself_it_is_refused() -> None:
    with pytest.raises(UsageError, match=r"--training train\.csv"):
        evaluate(["CCO"], memorization=True)


def test_nothing_valid_is_near_nothing() -> None:
    assert near(["", "C1CC"]).values["training_similarity"] is None
    found = evaluate(["CCO"], training=["C1CC"], memorization=True).values
    assert "training_similarity" not in found


def test_fingerprints_are_kept_and_progress_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOLVAE_CACHE", str(tmp_path))
    molecules = source([*TRAINING, "C1CC"])
    first = load_training_fingerprints(molecules, Work())
    unread = molecules._replace(read=lambda: pytest.fail("the molecules were read"))
    np.testing.assert_array_equal(load_training_fingerprints(unread, Work()), first)
    assert first.shape == (100, 128)
    seen = []
    near(["CCO"], progress=lambda *step: seen.append(step))
    assert ("Nearest training molecules", 100, 100) in seen
