"""Several goals become one score, and a front."""

from collections.abc import Sequence

import numpy as np
import pytest

from molvae.errors import UsageError
from molvae.optimize.goals import Goal, Goals, as_goals, pareto_front
from molvae.optimize.transforms import transform

SMILES = ["CCO", "CCCC", "c1ccccc1O"]


def letters(smiles: Sequence[str]) -> np.ndarray:
    return np.array([len(each) for each in smiles], dtype=float)


def share_of_carbon(smiles: Sequence[str]) -> np.ndarray:
    return np.array([each.upper().count("C") / len(each) for each in smiles])


SIZE = Goal("size", letters, transform=transform("sigmoid", {"low": 0, "high": 9}))
CARBON = Goal("carbon", share_of_carbon)


def test_one_goal_is_its_own_score_and_may_be_minimized() -> None:
    assert as_goals(letters).score(as_goals(letters).measure(SMILES)).tolist() == [3, 4, 9]
    least = Goals((Goal("letters", letters, minimize=True),))
    assert least.score(least.measure(SMILES)).tolist() == [-3, -4, -9]


def test_a_mean_weighs_the_goals() -> None:
    values = np.array([[4.5, 0.25], [4.5, 0.0]])
    product = Goals((SIZE, CARBON._replace(weight=3.0)))
    total = Goals((SIZE, CARBON._replace(weight=3.0)), "arithmetic")
    np.testing.assert_allclose(product.score(values), [0.5**0.25 * 0.25**0.75, 0.0])
    np.testing.assert_allclose(total.score(values), [0.25 * 0.5 + 0.75 * 0.25, 0.125])


def test_a_value_that_is_missing_leaves_no_score() -> None:
    assert np.isnan(Goals((SIZE, CARBON)).score(np.array([[np.nan, 1.0]]))).all()


def test_a_geometric_mean_takes_no_negative_values() -> None:
    both = Goals((CARBON, Goal("letters", letters, minimize=True)))
    with pytest.raises(UsageError, match=r"letters has values below 0.*transform"):
        both.score(both.measure(SMILES))


@pytest.mark.parametrize(
    ("goals", "message"),
    [
        (Goals(()), "nothing to optimize"),
        (Goals((SIZE, SIZE)), "two goals are called size"),
        (Goals((SIZE, SIZE._replace(name="score"))), "one of several goals is called score"),
        (Goals((SIZE,), "harmonic"), "mean = 'harmonic'"),
        (Goals((SIZE._replace(weight=0.0),)), "size: weight = 0"),
    ],
)
def test_goals_that_cannot_be_are_refused(goals: Goals, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        as_goals(goals)


def test_an_objective_of_the_wrong_number_of_scores_is_named() -> None:
    short = Goals((Goal("short", lambda smiles: np.zeros(1)),))
    with pytest.raises(UsageError, match=r"short gave scores of shape \(1,\) for 3 molecules"):
        short.measure(SMILES)


def test_the_front_has_what_nothing_beats() -> None:
    wanted = np.array([[1.0, 0.0], [0.5, 0.5], [0.5, 0.4], [0.5, 0.5], [np.nan, 1.0]])
    assert pareto_front(wanted).tolist() == [True, True, False, True, False]
    points = np.random.default_rng(1).random((200, 3))
    beaten = [
        any((other >= each).all() and (other > each).any() for other in points) for each in points
    ]
    assert (~pareto_front(points)).tolist() == beaten
