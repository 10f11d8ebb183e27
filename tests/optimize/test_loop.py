"""Runs find better molecules, go on where they stopped, and never score a molecule twice."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem

from molvae.config import GenerateConfig, OptimizeConfig
from molvae.errors import Rejected, UsageError
from molvae.generator import MoleculeGenerator
from molvae.optimize.archive import FILE
from molvae.optimize.goals import Goal, Goals
from molvae.optimize.loop import Run, optimize
from molvae.optimize.proposals import OPERATORS, improvements, operator_shares
from molvae.optimize.wishes import Wishes

ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"
SMALL = OptimizeConfig(batch=5)


@pytest.fixture(scope="module")
def generator() -> MoleculeGenerator:
    return MoleculeGenerator.load("druglike")


def oxygens(smiles: Sequence[str]) -> np.ndarray:
    return np.array([each.upper().count("O") for each in smiles], dtype=float)


def rows(run: Run) -> list[object]:
    return [(*call[:3], call.batch) for call in run.archive.calls.values()]


@pytest.fixture(scope="module")
def undisturbed(generator: MoleculeGenerator) -> Run:
    return optimize(generator, oxygens, budget=20, config=SMALL, seed=3)


def test_a_run_spends_its_budget_on_different_molecules_and_gets_better(undisturbed: Run) -> None:
    scores = undisturbed.scores
    assert len(scores) == undisturbed.archive.spent == 20
    assert scores[10:].mean() > scores[:10].mean()
    assert [each.score for each in undisturbed.molecules] == sorted(scores, reverse=True)
    assert undisturbed.molecules[0].on_front


def test_every_row_says_which_operator_made_it_from_what(undisturbed: Run) -> None:
    calls = undisturbed.archive.calls
    assert {call.proposal.operator for call in calls.values()} <= set(OPERATORS)
    assert {parent for call in calls.values() for parent in call.proposal.parents} <= set(calls)
    assert all(call.proposal.operator == "prior" for call in list(calls.values())[:5])


def test_a_run_that_stops_after_any_batch_ends_like_the_undisturbed_one(
    generator: MoleculeGenerator, undisturbed: Run, tmp_path: Path
) -> None:
    optimize(generator, oxygens, budget=20, config=SMALL, seed=3, folder=tmp_path)
    lines = (tmp_path / FILE).read_bytes().splitlines(keepends=True)
    scored: list[str] = []

    def counting(smiles: Sequence[str]) -> np.ndarray:
        scored.extend(smiles)
        return oxygens(smiles)

    for kept in (4, 7):  # after a batch was asked for, and after its answers
        (tmp_path / FILE).write_bytes(b"".join(lines[:kept]) + b'{"told": [["CC')
        goals = Goals((Goal("oxygens", counting),))
        scored.clear()
        again = optimize(generator, goals, budget=20, config=SMALL, folder=tmp_path)
        assert rows(again) == rows(undisturbed)
        assert scored == list(undisturbed.archive.calls)[5 * ((kept - 1) // 2) :]


def test_a_larger_budget_goes_on(generator: MoleculeGenerator, tmp_path: Path) -> None:
    for budget in (10, 15):
        run = optimize(generator, oxygens, budget=budget, config=SMALL, seed=3, folder=tmp_path)
        assert run.archive.spent == budget


def test_molecules_stay_similar_to_the_one_that_is_named(generator: MoleculeGenerator) -> None:
    config = OptimizeConfig(batch=5, min_similarity=0.2)
    drawing = GenerateConfig(not_smarts=("[N+]",))
    run = optimize(
        generator, oxygens, budget=10, like=ASPIRIN, drawing=drawing, config=config, seed=1
    )
    assert ASPIRIN not in run.archive.calls
    for each in run.molecules:
        assert each.similarity is not None
        assert each.similarity >= 0.2
        assert "[N+]" not in each.smiles
    with pytest.raises(Rejected, match="symbol unknown"):
        Run(generator, oxygens, wishes=Wishes(like="[Si](C)(C)(C)C"))


def test_every_molecule_contains_the_core_that_is_kept(generator: MoleculeGenerator) -> None:
    core = "C[C@H]([*:1])c1ccccc1"  # the model knows no stereo marks
    run = optimize(generator, oxygens, budget=20, keep=core, config=SMALL, seed=1)
    query = Chem.MolFromSmarts("C[C@H](*)c1ccccc1")
    mols = [Chem.MolFromSmiles(smiles) for smiles in run.archive.calls]
    assert len(mols) == 20
    assert all(mol.HasSubstructMatch(query, useChirality=True) for mol in mols)
    assert len({call.proposal.operator for call in run.archive.calls.values()}) > 1


def test_a_molecule_without_a_score_is_kept_as_such_and_comes_last(
    generator: MoleculeGenerator,
) -> None:
    run = optimize(
        generator,
        lambda smiles: np.where(oxygens(smiles) > 2, np.nan, oxygens(smiles)),
        budget=15,
        config=SMALL,
        seed=1,
    )
    assert len(run.archive.calls) == 15
    assert np.isnan(run.molecules[-1].score)
    assert not run.molecules[-1].on_front


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_a_score_that_says_nothing_ends_the_run_as_any_other(
    generator: MoleculeGenerator, value: float
) -> None:
    run = optimize(
        generator, lambda smiles: np.full(len(smiles), value), budget=15, config=SMALL, seed=1
    )
    assert run.archive.spent == 15


def test_a_laboratory_asks_and_tells_in_its_own_time(
    generator: MoleculeGenerator, tmp_path: Path
) -> None:
    run = Run(generator, oxygens, seed=1, folder=tmp_path)
    first, second = run.ask(4), run.ask(4)
    assert len({*first, *second}) == 8
    again = Run(generator, oxygens, folder=tmp_path)
    assert again.archive.pending == [*first, *second]
    written = Chem.MolToSmiles(Chem.MolFromSmiles(first[0]), doRandom=True)
    assert again.tell([written, ASPIRIN], [5.0, 6.0]) == (2, 1, 0)
    assert again.tell([first[0]], [7.0]) == (1, 0, 1)
    assert again.archive.calls[first[0]].values == (7.0,)
    assert again.archive.spent == 1
    with pytest.raises(Rejected, match="not a molecule"):
        again.tell(["C1CC"], [1.0])
    with pytest.raises(UsageError, match="values of shape"):
        again.tell(second, [1.0])


def test_an_operator_that_brings_improvements_proposes_more(undisturbed: Run) -> None:
    shares = operator_shares(undisturbed.archive, undisturbed.scores)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares["prior"] == 0.1
    assert min(shares.values()) >= 0.05
    assert improvements(np.array([*range(10), 0.0, np.nan, 5.0])) == [True] * 10 + [
        False,
        False,
        True,
    ]


def test_a_budget_that_teaches_nothing_is_refused(generator: MoleculeGenerator) -> None:
    with pytest.raises(UsageError, match="budget = 9: out of range, 10 to"):
        optimize(generator, oxygens, budget=9)
    with pytest.raises(UsageError, match="n = 0"):
        Run(generator, oxygens).ask(0)
