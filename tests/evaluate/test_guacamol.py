import numpy as np
import pytest
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator
from rdkit.ML.Descriptors.MoleculeDescriptors import MolecularDescriptorCalculator
from scipy.stats import entropy, gaussian_kde

from molvae.evaluate import descriptors, gather
from molvae.evaluate import fcd as chemnet
from molvae.evaluate import guacamol as module
from molvae.evaluate.descriptors import DESCRIPTORS, describe
from molvae.evaluate.inputs import source
from molvae.evaluate.report import Report, evaluate
from tests.drugs import DRUGS

SMILES = [smiles for _, smiles in DRUGS]
GENERATED, TRAINING = SMILES[:60], SMILES[40:120]
L_ALANINE, D_ALANINE, ALANINE = "C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O", "CC(N)C(=O)O"


def guacamol(generated, training=TRAINING) -> Report:
    return evaluate(generated, suite="guacamol", fcd=False, training=training)


def flat(smiles: list[str]) -> list[str]:
    canonical = (Chem.MolToSmiles(Chem.MolFromSmiles(s), isomericSmiles=False) for s in smiles)
    return list(dict.fromkeys(canonical))


def test_descriptors_are_those_of_rdkit_by_name() -> None:
    calculator = MolecularDescriptorCalculator(list(DESCRIPTORS))
    theirs = [calculator.CalcDescriptors(Chem.MolFromSmiles(smiles)) for smiles in SMILES[:60]]
    np.testing.assert_allclose(describe(SMILES[:60]).descriptors, theirs)


def test_similarities_are_those_of_rdkit_to_the_nearest_other() -> None:
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=4096)
    prints = [generator.GetFingerprint(Chem.MolFromSmiles(smiles)) for smiles in SMILES[:50]]
    theirs = [
        max(DataStructs.BulkTanimotoSimilarity(one, [p for p in prints if p is not one]))
        for one in prints
    ]
    np.testing.assert_allclose(describe(SMILES[:50]).similarity, theirs, rtol=1e-6)


def test_divergences_are_those_of_densities_and_histograms() -> None:
    training, generated = describe(flat(TRAINING)), describe(flat(GENERATED))
    found = guacamol(GENERATED).values
    one, other = training.descriptors[:, 0], generated.descriptors[:, 0]  # BertzCT
    both = np.hstack([one, other])
    points = np.linspace(both.min(), both.max(), num=1000)
    densities = [gaussian_kde(part)(points) + 1e-10 for part in (one, other)]
    assert found["KL BertzCT"] == pytest.approx(entropy(*densities))
    column = DESCRIPTORS.index("NumHDonors")
    one, edges = np.histogram(training.descriptors[:, column], bins=10, density=True)
    other, _ = np.histogram(generated.descriptors[:, column], bins=edges, density=True)
    assert found["KL NumHDonors"] == pytest.approx(entropy(one + 1e-10, other + 1e-10))
    divergences = [value for name, value in found.items() if name.startswith("KL ")][1:]
    assert len(divergences) == 10
    assert found["KL divergence"] == pytest.approx(np.mean(np.exp(-np.array(divergences))))


def test_the_training_set_itself_is_not_novel_and_of_one_distribution() -> None:
    found = guacamol(TRAINING).values
    assert (found["validity"], found["novelty"]) == (1, 0)
    assert found["KL divergence"] == pytest.approx(1)


def test_stereo_is_left_out_of_account() -> None:
    found = guacamol([L_ALANINE, D_ALANINE, ALANINE, "CCO"], [L_ALANINE, *SMILES[:20]]).values
    assert found["uniqueness"] == 2 / 4
    assert found["novelty"] == 1 / 4  # only ethanol; the alanines are one known molecule


def test_what_is_missing_counts_as_a_failure() -> None:
    found = guacamol(["CCO", "OCC", "C1CC", ""])
    assert found.values["validity"] == 1 / 2
    assert found.values["uniqueness"] == 1 / 4
    assert found.values["novelty"] == 1 / 4
    assert any("3 missing ones count as failures" in note for note in found.notes)


def test_molecules_beyond_the_protocol_only_fill_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROTOCOL", 4)
    found = guacamol(["CCO", "", "CCN", "OCC", "CCF", "CCCl", "C1CC"])
    assert found.values["validity"] == 3 / 4
    assert found.values["uniqueness"] == 3 / 4  # CCO CCN CCO CCF
    assert found.values["novelty"] == 1  # CCO CCN CCF CCCl
    assert not any("missing" in note for note in found.notes)


def test_a_molecule_that_would_take_minutes_is_refused_and_counted() -> None:
    found = guacamol([*GENERATED, "C" * 501, "C" * 3000])
    assert found.counts["invalid"] == {"more than 500 heavy atoms": 2}
    assert found.values["validity"] == len(GENERATED) / (len(GENERATED) + 2)
    assert guacamol(["C" * 500]).values["validity"] == 1


def test_a_molecule_without_descriptors_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    describe_one = descriptors._describe
    monkeypatch.setattr(
        descriptors, "_describe", lambda text: None if "Cl" in text else describe_one(text)
    )
    lost = sum("Cl" in smiles for smiles in flat(GENERATED))
    found = guacamol(GENERATED)
    assert found.counts["not_described"] == lost > 0
    assert any(f"molecules without descriptors: {lost}," in note for note in found.notes)


def test_copies_of_one_molecule_have_no_density_and_no_score_for_it() -> None:
    found = guacamol(["CC(=O)Oc1ccccc1C(=O)O"] * 30).values
    assert found["KL MolWt"] is None
    assert found["uniqueness"] == 1 / 30
    assert 0 <= found["KL divergence"] < 0.3


def test_nothing_valid_leaves_nothing_to_compare() -> None:
    found = guacamol(["", "C1CC"])
    assert found.values["validity"] == found.values["uniqueness"] == 0
    assert "KL divergence" not in found.values


def test_the_sample_of_a_large_training_set_is_that_of_the_seed() -> None:
    state = np.random.get_state()
    np.random.seed(42)
    theirs = np.random.choice([f"C{number}" for number in range(20_000)], 10_000, replace=False)
    np.random.set_state(state)
    rows = module.training_sample(20_000)
    assert [f"C{row}" for row in rows] == list(theirs)


def test_the_sample_is_described_once() -> None:
    molecules = source(TRAINING)
    first = evaluate(GENERATED, suite="guacamol", fcd=False, training=molecules)
    unread = molecules._replace(read=lambda: pytest.fail("the training set was read"))
    assert evaluate(GENERATED, suite="guacamol", fcd=False, training=unread) == first


def test_without_the_training_set_itself_the_gap_is_said() -> None:
    found = evaluate(["CCO"], suite="guacamol")
    assert list(found.values)[:3] == ["validity", "uniqueness", "rings"]
    assert any("training set itself" in note for note in found.notes)


def test_the_score_falls_with_the_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    if not chemnet.is_installed():
        pytest.skip("ChemNet comes with the extra: pip install 'molvae[fcd]'")
    monkeypatch.setattr(gather, "MINIMUM", 50)
    same, other = (
        evaluate(some, suite="guacamol", training=SMILES[:100]).values
        for some in (SMILES[:100], SMILES[100:200])
    )
    assert same["FCD score"] == pytest.approx(1, abs=1e-5)
    assert other["FCD score"] == pytest.approx(np.exp(-0.2 * other["FCD"]))
    assert other["FCD score"] < 0.9
