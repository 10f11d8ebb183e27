import itertools
import math
from typing import Any

import numpy as np
import pytest
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator

from molvae.evaluate import metrics
from molvae.evaluate import sets as sets_module
from molvae.evaluate.parsed import parse_molecules
from molvae.evaluate.sets import Metric, Numbers, Sets
from molvae.evaluate.training import KnownMolecules
from tests.drugs import DRUGS

SMILES = [smiles for _, smiles in DRUGS]
ASPIRIN, ASPIRIN_KEKULE = "CC(=O)Oc1ccccc1C(=O)O", "OC(=O)C1C=CC=CC=1OC(C)=O"
L_ALANINE, D_ALANINE, ALANINE = "C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O", "CC(N)C(=O)O"


def sets(smiles, training=None, seed=0) -> Sets:
    known = None if training is None else KnownMolecules.of(training)
    return Sets(parse_molecules(smiles, ()), training=known, seed=seed)


def validity(some: Sets) -> Numbers:
    return metrics.METRICS["validity"].function(some)


def test_validity_is_the_share_of_strings_that_are_a_molecule() -> None:
    half = [ASPIRIN, "C1CC", "CCO", "c1ccc", "CCN", "C(C)(C)(C)(C)C", "O", "CC)"]
    assert validity(sets(half)) == {"validity": 0.5}


@pytest.mark.parametrize("empty", ["", " ", "\t", "\ufeff"])
def test_an_empty_smiles_is_no_molecule(empty: str) -> None:
    assert validity(sets(["CCO", empty])) == {"validity": 0.5}


@pytest.mark.parametrize("text", ["\u0421\u0421O", "CC O", "CCO\nCCN", "[C+999999]"])
def test_what_rdkit_reads_as_another_molecule_is_invalid(text: str) -> None:
    assert Chem.MolFromSmiles(text) is not None
    assert validity(sets([text]))["validity"] == 0


@pytest.mark.parametrize(
    ("smiles", "share"),
    [
        pytest.param([ASPIRIN] * 20, 1 / 20, id="copies"),
        pytest.param(
            [ASPIRIN, ASPIRIN_KEKULE, "", "CCO", "OCC", "C1CC", "CCN", "NCC"], 3 / 6, id="spellings"
        ),
        pytest.param([L_ALANINE, D_ALANINE, ALANINE], 1, id="mirror images"),
    ],
)
def test_uniqueness_is_a_share_of_the_valid_molecules(smiles: list[str], share: float) -> None:
    assert metrics.uniqueness(sets(smiles)) == {"uniqueness": share}


def test_uniqueness_at_k_looks_at_the_first_k_valid_molecules_in_order() -> None:
    chains = ["C" * n for n in range(1, 101)]
    numbers = metrics.uniqueness(sets([""] * 50 + ["CCO"] * 990 + chains))
    assert numbers["uniqueness@1000"] == 11 / 1000
    assert numbers["uniqueness"] == 101 / 1090
    assert "uniqueness@10000" not in numbers


def test_uniqueness_at_k_of_fewer_than_k_valid_molecules_is_left_out() -> None:
    assert "uniqueness@1000" not in metrics.uniqueness(sets(["CCO"] * 999 + [""]))
    assert "uniqueness@1000" in metrics.uniqueness(sets(["CCO"] * 1000))


@pytest.mark.parametrize(
    ("generated", "training", "expected"),
    [
        ([ASPIRIN_KEKULE], [ASPIRIN], {"novelty": 0}),
        ([ASPIRIN], [ASPIRIN_KEKULE], {"novelty": 0}),
        (["CCO", "OCC", "CCO", "CCN", "", "C1CC", "CCF"], ["CCO", "CCCC"], {"novelty": 2 / 3}),
        ([ALANINE, "CCO"], [L_ALANINE], {"novelty": 1, "novelty_without_stereo": 0.5}),
        ([L_ALANINE, D_ALANINE], [ALANINE], {"novelty": 1, "novelty_without_stereo": 0}),
        (SMILES[:50], SMILES[:50], {"novelty": 0, "novelty_without_stereo": 0}),
        (["", "C1CC"], ["CCO"], {"novelty": None}),
        (["CCO"], None, {}),
    ],
)
def test_novelty_is_a_share_of_the_distinct_valid_molecules(
    generated: list[str], training: list[str] | None, expected: Numbers
) -> None:
    assert metrics.novelty(sets(generated, training=training)) == expected


def test_novelty_reports_how_often_the_training_set_errs() -> None:
    class Forgetful:
        error_rate = 0.01

        def contains(self, molecules):
            return np.array([smiles == "CCO" for smiles in molecules])

    parsed = parse_molecules(["OCC", "CCN"], ())
    numbers = metrics.novelty(Sets(parsed, training=Forgetful()))
    assert numbers == {"novelty": 0.5, "novelty_error_rate": 0.01}


def naive_diversity(smiles: list[str], power: int) -> float:
    """Return IntDiv pair by pair, with RDKit alone."""
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
    prints = [generator.GetFingerprint(Chem.MolFromSmiles(text)) for text in smiles]
    rows = [
        sum(DataStructs.TanimotoSimilarity(one, other) ** power for other in prints) / len(prints)
        for one in prints
    ]
    return 1 - sum(row ** (1 / power) for row in rows) / len(rows)


def test_diversity_equals_a_loop_over_all_pairs() -> None:
    drugs = SMILES[:40] + SMILES[:5]
    numbers = metrics.internal_diversity(sets([*drugs, "", "C1CC"]))
    assert numbers["IntDiv1"] == pytest.approx(naive_diversity(drugs, 1), abs=1e-6)
    assert numbers["IntDiv2"] == pytest.approx(naive_diversity(drugs, 2), abs=1e-6)
    assert abs(numbers["IntDiv1"] - numbers["IntDiv2"]) > 0.005


def test_diversity_of_two_molecules_by_hand() -> None:
    # Ethane has one kind of atom, in one environment of radius 0 and one of radius 1; methane has
    # one environment. They share nothing: mean of T = (1 + 0 + 0 + 1) / 4, and of T^2 the same.
    numbers = metrics.internal_diversity(sets(["CC", "C"]))
    assert numbers == pytest.approx({"IntDiv1": 0.5, "IntDiv2": 1 - math.sqrt(0.5)}, abs=1e-7)


def test_diversity_of_many_molecules_is_that_of_a_seeded_subset(monkeypatch) -> None:
    monkeypatch.setattr(sets_module, "PAIRS_LIMIT", 60)
    first, again, other = (
        metrics.internal_diversity(sets(SMILES[:120], seed=seed))["IntDiv1"] for seed in (1, 1, 2)
    )
    assert first == again != other
    assert first == pytest.approx(naive_diversity(SMILES[:120], 1), abs=0.02)


@pytest.mark.parametrize(
    ("smiles", "values"),
    [
        (["CCO"], (1, 1, 0, 0)),
        (["", "C1CC"], (0, None, None, None)),
        ([ASPIRIN] * 20, (1, 1 / 20, 0, 0)),
    ],
)
def test_small_sets_have_numbers_or_undefined_ones(smiles: list[str], values: Any) -> None:
    names = ("validity", "uniqueness", "IntDiv1", "IntDiv2")
    assert metrics.measure(sets(smiles)) == dict(zip(names, values, strict=True))


def test_the_order_of_the_molecules_does_not_matter() -> None:
    generated = [*SMILES[:30], *SMILES[:10], "", "C1CC"]
    forward = metrics.measure(sets(generated, training=SMILES[:5]))
    backward = metrics.measure(sets(generated[::-1], training=SMILES[:5][::-1]))
    assert backward == pytest.approx(forward, abs=1e-6)


def test_a_metric_is_a_function_and_a_line(monkeypatch) -> None:
    def longest(sets: Sets) -> Numbers:
        return {"longest": max(map(len, sets.generated.molecules))}

    monkeypatch.setitem(metrics.METRICS, "longest", Metric(longest, ("mine",)))
    assert metrics.measure(sets(["C", "CCC"]), suite="mine") == {"longest": 3}
    assert "longest" not in metrics.measure(sets(["C"]))


@pytest.mark.parametrize("suite", metrics.suites())
def test_metrics_of_a_suite_do_not_share_names(suite: str) -> None:
    some = sets(["CCO"] * 1_000, training=["CCO"])
    functions = [m.function for m in metrics.METRICS.values() if suite in m.suites]
    names = list(itertools.chain(*(function(some) for function in functions)))
    assert len(set(names)) == len(names)
