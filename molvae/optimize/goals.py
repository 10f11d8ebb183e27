"""Goals: what is measured of a molecule, how desirable each value is, and one score of all.

Letters: N molecules, G goals.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from molvae.errors import UsageError, did_you_mean
from molvae.optimize.objective import Objective
from molvae.optimize.transforms import Transform, describe_transform

MEANS = ("geometric", "arithmetic")


class Goal(NamedTuple):
    """One quantity, and what is wanted of it.

    Attributes:
        name: of its column.
        objective: measures it; NaN where it cannot.
        minimize: less is better.
        transform: of the value to a desirability; it decides on the direction itself.
        weight: beside the other goals.
        span: between which its values usually are; None where that is not known.
    """

    name: str
    objective: Objective
    minimize: bool = False
    transform: Transform | None = None
    weight: float = 1.0
    span: tuple[float, float] | None = None

    def desirability(self, values: np.ndarray) -> np.ndarray:
        """Return how desirable values of this goal are, higher is better; shape as given."""
        if self.transform is not None:
            return self.transform(values)
        return -values if self.minimize else values


class Goals(NamedTuple):
    """All goals of a run.

    Attributes:
        goals: at least one; without a transform only where it is alone, or from 0 to 1.
        mean: one of `MEANS`, of the desirabilities; a geometric one wants all goals at once.
    """

    goals: tuple[Goal, ...]
    mean: str = "geometric"

    @property
    def downwards(self) -> bool:
        """Whether the score is a value of which less is better, with its sign changed."""
        goal = self.goals[0]
        return len(self.goals) == 1 and goal.transform is None and goal.minimize

    @property
    def names(self) -> list[str]:
        """The names of the goals."""
        return [goal.name for goal in self.goals]

    def describe(self) -> list[dict[str, Any]]:
        """Return plain values that tell these goals from others."""
        return [
            {
                "name": goal.name,
                "minimize": goal.minimize,
                "transform": describe_transform(goal.transform),
                "weight": goal.weight,
                "mean": self.mean,
            }
            for goal in self.goals
        ]

    def measure(self, smiles: Sequence[str]) -> np.ndarray:
        """Measure N molecules, shape (N, G), NaN where a goal has no value.

        Raises:
            UsageError: for an objective that does not return N numbers.
        """
        columns = [np.asarray(goal.objective(smiles), dtype=float) for goal in self.goals]
        for goal, column in zip(self.goals, columns, strict=True):
            if column.shape != (len(smiles),):
                raise UsageError(
                    f"{goal.name} gave scores of shape {column.shape} for {len(smiles)} molecules,"
                    " where one number for each is expected."
                )
        return np.stack(columns, axis=1)

    def desirabilities(self, values: np.ndarray) -> np.ndarray:
        """Return how desirable each value is, shape (N, G), higher is better."""
        found = [goal.desirability(values[:, column]) for column, goal in enumerate(self.goals)]
        return np.stack(found, axis=1)

    def score(self, values: np.ndarray) -> np.ndarray:
        """Return one number for each molecule, higher is better, shape (N,).

        NaN where a goal has no value: nothing is known of the molecule as a whole.

        Raises:
            UsageError: for a geometric mean of a negative desirability.
        """
        wanted = self.desirabilities(values)
        if len(self.goals) == 1:
            alone: np.ndarray = wanted[:, 0]
            return alone
        if self.mean == "geometric" and (wanted < 0.0).any():
            name = self.names[int(np.flatnonzero((wanted < 0.0).any(axis=0))[0])]
            raise UsageError(
                f"{name} has values below 0, which a geometric mean cannot take: give it a"
                " transform, or choose mean = 'arithmetic'."
            )
        weights = np.array([goal.weight for goal in self.goals]) / sum(g.weight for g in self.goals)
        if self.mean == "arithmetic":
            return np.asarray(wanted @ weights)
        return np.asarray(np.prod(wanted**weights, axis=1))


def as_goals(objective: Objective | Goals) -> Goals:
    """Return goals as they are, and an objective as the only one, checked.

    Raises:
        UsageError: for no goal, two of one name, one of several that is called score, an unknown
            mean, or a weight that is not positive.
    """
    if not isinstance(objective, Goals):
        name = str(getattr(objective, "name", "") or getattr(objective, "__name__", "score"))
        return Goals((Goal(name, objective),))
    names = objective.names
    if not names:
        raise UsageError("nothing to optimize: name a goal, such as QED.")
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise UsageError(f"two goals are called {twice}: name one of them otherwise, or drop it.")
    if len(names) > 1 and "score" in names:
        raise UsageError(
            "one of several goals is called score, as the column of all goals together: give it"
            " another name in --config, or its program another file name."
        )
    if objective.mean not in MEANS:
        hint = did_you_mean(objective.mean, MEANS) or f"; one of {', '.join(MEANS)}."
        raise UsageError(f"mean = '{objective.mean:.80}'{hint}")
    for goal in objective.goals:
        if not 0.0 < goal.weight < np.inf:
            raise UsageError(f"{goal.name}: weight = {goal.weight:g}; give a positive number.")
    return objective


def pareto_front(wanted: np.ndarray) -> np.ndarray:
    """Return which molecules no other one beats in every goal.

    Args:
        wanted: desirabilities, shape (N, G); a row with NaN is on no front.

    Returns:
        bool, shape (N,).

    >>> pareto_front(np.array([[1.0, 0.0], [0.5, 0.5], [0.4, 0.5]])).tolist()
    [True, True, False]
    """
    front: np.ndarray = ~np.isnan(wanted).any(axis=1)
    for row in np.flatnonzero(front):
        others = wanted[front]
        beaten = (others >= wanted[row]).all(axis=1) & (others > wanted[row]).any(axis=1)
        front[row] = not beaten.any()
    return front
