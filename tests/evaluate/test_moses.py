import warnings
from collections import Counter

import numpy as np
import pytest
from rdkit import Chem, DataStructs
from rdkit.Chem.Scaffolds import MurckoScaffold
from scipy.spatial.distance import cosine
from scipy.stats import wasserstein_distance

from molvae.chem.properties import measure
from molvae.chem.similarity import fingerprint
from molvae.evaluate import fcd as chemnet
from molvae.evaluate import gather
from molvae.evaluate.report import Report, evaluate
from tests.drugs import DRUGS

SMILES = [smiles for _, smiles in DRUGS]
GENERATED, TEST, SCAFFOLDS = SMILES[:60], SMILES[50:110], SMILES[220:280]
ASPIRIN, ASPIRIN_KEKULE = "CC(=O)Oc1ccccc1C(=O)O", "OC(=O)C1C=CC=CC=1OC(C)=O"
NAMES = [
    *("valid", "unique@1000", "unique@10000", "FCD/Test", "FCD/TestSF", "SNN/Test", "SNN/TestSF"),
    *("Frag/Test", "Frag/TestSF", "Scaf/Test", "Scaf/TestSF", "IntDiv", "IntDiv2", "Filters"),
    *("Novelty", "logP", "SA", "QED", "weight"),
]


def moses(generated, **more) -> Report:
    sets = {"reference": TEST, "scaffolds": SCAFFOLDS, "training": SMILES[30:90]} | more
    return evaluate(generated, suite="moses", fcd=False, **sets)


def numbers(report: Report) -> dict[str, float | None]:
    return {name: value for name, value in report.values.items() if not isinstance(value, dict)}


def test_the_numbers_have_the_names_of_moses() -> None:
    assert list(numbers(moses(GENERATED))) == NAMES


def test_the_nearest_neighbors_are_those_of_a_loop_over_all_pairs() -> None:
    test = [fingerprint(Chem.MolFromSmiles(smiles)) for smiles in TEST]
    largest = [
        max(DataStructs.BulkTanimotoSimilarity(fingerprint(Chem.MolFromSmiles(smiles)), test))
        for smiles in GENERATED
    ]
    assert moses(GENERATED).values["SNN/Test"] == pytest.approx(np.mean(largest), abs=1e-6)


def test_scaffolds_and_fragments_are_compared_by_the_cosine_of_their_counts() -> None:
    def counts(smiles: list[str], pieces) -> Counter[str]:
        return Counter(piece for text in smiles for piece in pieces(Chem.MolFromSmiles(text)))

    def scaffold(mol: Chem.Mol) -> list[str]:
        found = MurckoScaffold.GetScaffoldForMol(mol)
        return [Chem.MolToSmiles(found)] if found.GetRingInfo().NumRings() >= 2 else []

    def fragments(mol: Chem.Mol) -> list[str]:
        return Chem.MolToSmiles(Chem.rdmolops.FragmentOnBRICSBonds(mol)).split(".")

    found = moses(GENERATED).values
    for name, pieces in (("Scaf/TestSF", scaffold), ("Frag/TestSF", fragments)):
        one, other = counts(GENERATED, pieces), counts(SCAFFOLDS, pieces)
        keys = sorted(one | other)
        expected = 1 - cosine([one[key] for key in keys], [other[key] for key in keys])
        assert found[name] == pytest.approx(expected)


def test_properties_are_compared_by_the_wasserstein_distance() -> None:
    one, other = (
        [measure(Chem.MolFromSmiles(smiles), ["QED"])[0] for smiles in some]
        for some in (GENERATED, TEST)
    )
    assert moses(GENERATED).values["QED"] == pytest.approx(wasserstein_distance(one, other))


def test_a_copy_of_the_test_set_is_at_no_distance_from_it() -> None:
    found = moses(TEST, training=TEST).values
    for name in ("SNN/Test", "Frag/Test", "Scaf/Test", "valid", "unique@1000"):
        assert found[name] == pytest.approx(1)
    for name in ("logP", "SA", "QED", "weight", "Novelty"):
        assert found[name] == pytest.approx(0)


def test_copies_of_one_molecule_are_hardly_unique_and_not_diverse() -> None:
    found = moses([ASPIRIN] * 40).values
    assert found["unique@1000"] == found["unique@10000"] == 1 / 40
    assert found["IntDiv"] == found["IntDiv2"] == pytest.approx(0, abs=1e-6)
    assert found["Scaf/Test"] is None  # aspirin has one ring, and so no scaffold that counts
    assert found["Filters"] == 1


def test_how_a_molecule_is_written_does_not_matter() -> None:
    kekule = [Chem.MolToSmiles(Chem.MolFromSmiles(text), kekuleSmiles=True) for text in GENERATED]
    backward = [Chem.MolToRandomSmilesVect(Chem.MolFromSmiles(s), 1, 7)[0] for s in GENERATED]
    assert numbers(moses(kekule)) == pytest.approx(numbers(moses(GENERATED)))
    assert numbers(moses(backward)) == pytest.approx(numbers(moses(GENERATED)))
    assert moses([ASPIRIN_KEKULE], training=[ASPIRIN]).values["Novelty"] == 0


def test_unique_is_of_the_first_k_valid_molecules_or_of_all() -> None:
    chains = ["C" * length for length in range(1, 41)]
    found = moses([""] * 50 + ["CCO"] * 990 + chains)
    assert found.values["unique@1000"] == 11 / 1000
    assert found.values["unique@10000"] == 41 / 1030
    assert any("unique@10000 uses all 1,030 valid" in note for note in found.notes)


def test_what_moses_would_leave_out_is_counted_by_reason() -> None:
    found = moses(["CC(=O)[O-]", "C1CO1", "C1CO1", "CCO", "CCI", "C1CC"])
    assert found.values["Filters"] == 1 / 5
    assert found.counts["alerts"] == {"MCF5": 2, "charged": 1, "holds I": 1}


def test_without_sets_to_compare_with_the_rest_is_measured_and_the_gap_is_said() -> None:
    found = evaluate(GENERATED, suite="moses")
    assert list(numbers(found)) == [
        *("valid", "unique@1000", "unique@10000", "IntDiv", "IntDiv2", "Filters")
    ]
    assert any("no test set" in note for note in found.notes)
    assert any("no training set" in note for note in found.notes)


def test_a_different_number_of_molecules_is_marked() -> None:
    assert any("N = 60, but" in note and "30,000" in note for note in moses(GENERATED).notes)


def test_a_property_asked_for_besides_is_measured_and_not_compared() -> None:
    found = moses(GENERATED[:5], targets={"Fsp3": 0.5})
    assert found.values["control"]["Fsp3"]["measured"] == 5
    assert "wasserstein" not in found.values["properties"]["Fsp3"]
    assert "wasserstein" in found.values["properties"]["TPSA"]


def test_too_few_molecules_have_no_frechet_distance_and_are_told_so() -> None:
    if not chemnet.is_installed():
        pytest.skip("ChemNet comes with the extra: pip install 'molvae[fcd]'")
    found = evaluate(["CCO"], suite="moses", reference=TEST)
    assert found.values["FCD/Test"] is None
    assert any("FCD needs 1,000 valid molecules" in note for note in found.notes)


def test_without_the_extra_the_rest_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chemnet, "find_spec", lambda name: None)
    found = evaluate(GENERATED, suite="moses", reference=TEST)
    assert found.values["FCD/Test"] is None
    assert any("pip install 'molvae[fcd]'" in note for note in found.notes)


def test_the_frechet_distance_is_that_of_the_fcd_package(monkeypatch: pytest.MonkeyPatch) -> None:
    fcd = pytest.importorskip("fcd", reason="needs the extra: pip install 'molvae[fcd]'")
    monkeypatch.setattr(gather, "MINIMUM", 50)
    found = evaluate(GENERATED, suite="moses", reference=TEST)
    canonical = [[Chem.CanonSmiles(text) for text in some] for some in (GENERATED, TEST)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that numpy and scipy will drop
        theirs = fcd.get_fcd(smiles1=canonical[0], smiles2=canonical[1], device="cpu")
    assert found.values["FCD/Test"] == pytest.approx(theirs, abs=1e-4)
    assert found.counts["chemnet"] == 60
    assert found.versions["fcd"] == chemnet.fcd_version()
    assert found.values["FCD/Test@30000"] is None  # parts of 15 molecules say nothing


def test_worker_processes_find_the_same() -> None:
    assert numbers(moses(GENERATED, jobs=2)) == pytest.approx(numbers(moses(GENERATED)))
