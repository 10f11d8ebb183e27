"""Objectives: functions that score molecules, one number each, higher is better."""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from molvae.errors import Rejected, UsageError

Score = float | Rejected  # of one molecule: a number, or why there is none
Scorer = Callable[[list[str]], Sequence[Score]]  # N SMILES -> N scores
# N SMILES -> their scores, shape (N,), higher is better, NaN where there is none.
Objective = Callable[[Sequence[str]], np.ndarray]


class CountedObjective:
    """An objective that counts the molecules without a score.

    Args:
        scorer: returns the score of each molecule, or the reason why it has none.
        name: for tables and logs.
        minimize: negate the scores, where lower is better.

    Attributes:
        scored: molecules that got a score, over all calls.
        failures: reason -> molecules without a score, over all calls.
    """

    def __init__(self, scorer: Scorer, *, name: str, minimize: bool = False) -> None:
        self.scorer, self.name, self.minimize = scorer, name, minimize
        self.scored = 0
        self.failures: Counter[str] = Counter()

    def __call__(self, smiles: Sequence[str], /) -> np.ndarray:
        """Score N molecules.

        Returns:
            Shape (N,), float64; NaN where a molecule has no score.

        Raises:
            UsageError: for one string in place of a list.
        """
        if isinstance(smiles, str):
            raise UsageError(f"{self.name}({smiles!r:.80}): give a list of SMILES: ['CCO'].")
        scores = self.scorer(list(smiles)) if len(smiles) else []
        failed = [score.reason for score in scores if isinstance(score, Rejected)]
        self.failures.update(failed)
        self.scored += len(scores) - len(failed)
        values = np.array([np.nan if isinstance(s, Rejected) else s for s in scores], dtype=float)
        return -values if self.minimize else values
