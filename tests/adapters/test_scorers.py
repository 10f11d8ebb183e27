"""Other toolkits' callables as objectives."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from rdkit import Chem
from rdkit.Chem import QED

from molvae.adapters.scorers import scored_by
from molvae.errors import UsageError
from molvae.optimize.objective import Objective
from tests.drugs import DRUGS

SMILES = [smiles for _, smiles in DRUGS[:4]]


def qed(smiles: str) -> float:
    return float(QED.qed(Chem.MolFromSmiles(smiles)))


TRUTH = [qed(smiles) for smiles in SMILES]


class TdcOracle:
    """What PyTDC 1.1.15 does: a list or one, 0 for what is no molecule, a budget of calls."""

    def __init__(self, function: Callable[[str], float], budget: int = 1000) -> None:
        self.function, self.budget, self.num_called = function, budget, 0

    def __call__(self, *args: Any) -> Any:
        smiles = args[0]
        if type(smiles) is list:
            return [self.one(text) for text in smiles]
        return self.one(smiles)

    def one(self, text: str) -> float:
        mol = Chem.MolFromSmiles(text)
        if mol is None:
            return 0.0
        self.num_called += 1
        if self.num_called > self.budget:
            raise ValueError("The maximum number of evaluator call is reached!")
        return self.function(text)


class MolScore:
    """What MolScore 1.9.5 returns: an array of float32, or with `flt` a list of floats."""

    def __call__(self, smiles: list[str], step: int | None = None, flt: bool = False) -> Any:
        return self.score(smiles, step=step, flt=flt)

    def score(self, smiles: list[str], step: int | None = None, flt: bool = False) -> Any:
        scores = [0.0 if Chem.MolFromSmiles(text) is None else qed(text) for text in smiles]
        return scores if flt else np.array(scores, dtype=np.float32)


def alone(smiles: str) -> float:
    """Fail on a list without saying so, as a command line built from it would."""
    return float(len(f"{smiles}"))


def in_table(smiles: str) -> float:
    return dict(zip(SMILES, TRUTH, strict=True))[smiles]


@pytest.mark.parametrize(
    "function",
    [
        TdcOracle(qed),
        MolScore(),
        MolScore().score,
        qed,
        in_table,
        lambda smiles: [qed(text) for text in smiles],
        lambda smiles: torch.tensor([qed(text) for text in smiles], dtype=torch.float64),
    ],
    ids=["TDC", "MolScore", "score", "one molecule", "a table", "list", "tensor"],
)
def test_any_callable_becomes_an_objective(function: Any) -> None:
    objective: Objective = scored_by(function)
    for smiles, truth in ((SMILES, TRUTH), (SMILES[:1], TRUTH[:1]), (tuple(SMILES), TRUTH)):
        scores = objective(smiles)
        assert (scores.dtype, scores.shape) == (np.float64, (len(smiles),))
        np.testing.assert_allclose(scores, truth, rtol=1e-6)


def test_a_function_of_one_molecule_is_found_out_by_what_it_makes_of_a_list() -> None:
    assert scored_by(alone)(SMILES).tolist() == [len(smiles) for smiles in SMILES]
    np.testing.assert_allclose(scored_by(qed, minimize=True)(SMILES), [-q for q in TRUTH])


def test_a_list_is_scored_in_one_call() -> None:
    oracle = TdcOracle(qed, budget=4)
    objective = scored_by(oracle)
    objective(SMILES)
    assert oracle.num_called == 4
    with pytest.raises(ValueError, match="maximum number of evaluator call"):
        objective(SMILES)


def test_what_is_no_molecule_is_never_handed_over() -> None:
    asked: list[str] = []

    def score(smiles: list[str]) -> list[float]:
        asked.extend(smiles)
        return [1.0] * len(smiles)

    objective = scored_by(score)
    assert np.isnan(objective(["", "C1CC", "CCO"])).tolist() == [True, True, False]
    assert np.isnan(objective(["C1CC"])).all()
    assert asked == ["CCO"]
    assert objective.failures == {"empty": 1, "not a molecule": 2}


def test_none_and_numbers_that_are_not_finite_are_no_scores() -> None:
    objective = scored_by(lambda smiles: [None, float("nan"), float("inf"), 0.5])
    assert np.isnan(objective(SMILES)).tolist() == [True, True, True, False]
    assert objective.failures == {"no score": 1, "not a finite number": 2}
    assert objective.scored == 1


def test_molecules_that_a_function_fails_on_are_counted() -> None:
    def picky(smiles: str) -> float:
        if "Cl" in smiles:
            raise RuntimeError("no parameters for chlorine")
        return 1.0

    objective = scored_by(picky, takes="one")
    assert np.isnan(objective(["CCO", "CCCl"])).tolist() == [False, True]
    assert objective.failures == {"RuntimeError": 1}
    with pytest.raises(RuntimeError, match="chlorine"):
        objective(["CCCl", "ClCCl"])


def test_what_a_list_callable_raises_is_passed_on_or_what_tells_more() -> None:
    def broken(smiles: list[str]) -> list[float]:
        return [text.no_such_method() for text in smiles]

    def by_letter(smiles: Any) -> list[float]:
        return [1.0 / len(text) if len(text) == 1 else text + 1 for text in smiles]

    for takes in (None, "list"):
        with pytest.raises(AttributeError, match="no_such_method"):
            scored_by(broken, takes=takes)(SMILES)
    with pytest.raises(TypeError, match="concatenate"):
        scored_by(by_letter)(SMILES)


def test_what_takes_lists_is_never_asked_for_one_molecule() -> None:
    asked: list[Any] = []

    def squeezing(smiles: list[str]) -> Any:
        asked.append(smiles)
        return [1.0] * len(smiles) if len(smiles) > 1 else 1.0

    def broken(smiles: list[str]) -> Any:
        asked.append(smiles)
        raise TypeError("broken")

    objective = scored_by(squeezing)
    objective(SMILES)
    with pytest.raises(UsageError, match="gave float for 1 molecules"):
        objective(SMILES[:1])
    with pytest.raises(TypeError, match="broken"):
        scored_by(broken, takes="list")(SMILES)
    assert asked == [SMILES, SMILES[:1], SMILES]


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ([0.5, 0.5], r"gave list of shape \(2,\) for 4 molecules"),
        (np.zeros((4, 1)), r"gave ndarray of shape \(4, 1\)"),
        ({"a": 1.0, "b": 2.0}, r"gave dict for 4 molecules.*Choose one of 'a', 'b'"),
        ([{"smiles": s, "dock": 0.0} for s in SMILES], r"dict for one molecule.*'smiles', 'dock'"),
        (["high"] * 4, r"gave str for one molecule"),
        (None, r"gave NoneType for 4 molecules.*takes='one'"),
        (iter([0.5] * 4), r"gave list_iterator for 4 molecules"),
    ],
    ids=["short", "column", "dict", "rows", "words", "nothing", "iterator"],
)
def test_results_of_another_shape_are_refused(found: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        scored_by(lambda smiles: found, name="other")(SMILES)


def test_several_numbers_for_one_molecule_and_what_cannot_be_called_are_refused() -> None:
    with pytest.raises(UsageError, match=r"ndarray of shape \(2,\) for one molecule"):
        scored_by(lambda smiles: np.zeros(2), takes="one")(SMILES)
    with pytest.raises(UsageError, match="cannot be called"):
        scored_by(0.5)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="'list', 'one' or None"):
        scored_by(qed, takes="some")  # type: ignore[arg-type]
