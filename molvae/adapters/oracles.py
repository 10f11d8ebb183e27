"""Objectives as other toolkits call theirs: TDC's oracles and MolScore's functions.

    from molvae.adapters.objectives import measured
    from molvae.adapters.oracles import Oracle

    oracle = Oracle(measured("QED"))
    oracle("CCO"), oracle(["CCO", "c1ccccc1O"])     # a number; a list of 2

The protocols are those of PyTDC 1.1.15 (Huang 2021, https://arxiv.org/abs/2102.09548) and MolScore
1.9.5 (Thomas 2024, https://doi.org/10.1186/s13321-024-00861-w). Neither knows NaN: a molecule
without a score gets `failed`, 0.0 as in both, which suits scores from 0 to 1. On other scales 0.0
may be a good score: then set `failed` to a bad one.
"""

from collections.abc import Sequence
from typing import overload

import numpy as np

from molvae.errors import UsageError
from molvae.optimize.objective import Objective


class Oracle:
    """An objective with the interface of `tdc.Oracle`: one SMILES -> a number, a list -> a list.

    Args:
        objective: for example from `molvae.adapters.objectives`.
        name: under which optimizers log it.
        failed: the score of what has none.
    """

    def __init__(self, objective: Objective, *, name: str = "molvae", failed: float = 0.0) -> None:
        self.objective, self.name, self.failed = objective, name, failed

    @overload
    def __call__(self, smiles: str) -> float: ...
    @overload
    def __call__(self, smiles: list[str]) -> list[float]: ...
    def __call__(self, smiles: str | list[str]) -> float | list[float]:
        """Score one molecule, or N of them in order."""
        if isinstance(smiles, str):
            return self.score([smiles])[0]
        return self.score(smiles)

    def score(self, smiles: Sequence[str]) -> list[float]:
        """Score N molecules: what MolScore's own manager does for a generative model."""
        scores = np.asarray(self.objective(smiles))
        return [float(score) for score in np.where(np.isnan(scores), self.failed, scores)]


class MolScoreFunction:
    """An objective with the interface of a MolScore scoring function.

    MolScore creates its own functions from its configuration; append this one afterwards:
    `ms.scoring_functions.append(MolScoreFunction(objective, prefix="molvae"))`. The
    configuration's `scoring` then names it `molvae_score`.

    Args:
        objective: for example from `molvae.adapters.objectives`.
        prefix: tells it from others.
        failed: the score of what has none.

    Attributes:
        return_metrics: what MolScore finds in the results, behind the prefix.

    Raises:
        UsageError: for an empty prefix.
    """

    return_metrics = ("score",)

    def __init__(
        self, objective: Objective, *, prefix: str = "molvae", failed: float = 0.0
    ) -> None:
        self.prefix = prefix.strip().replace(" ", "_")  # as MolScore's own do
        if not self.prefix:
            raise UsageError("prefix is empty: name the function, such as prefix='molvae'.")
        self.oracle = Oracle(objective, name=self.prefix, failed=failed)

    def __call__(self, smiles: Sequence[str], **unused: object) -> list[dict[str, str | float]]:
        """Score N molecules.

        Args:
            smiles: as MolScore merges the results by them, they come back unchanged.
            unused: MolScore's folder and names of files, and other forms of the molecules.

        Returns:
            For each molecule its `smiles` and `PREFIX_score`.
        """
        key = f"{self.prefix}_{self.return_metrics[0]}"
        scores = self.oracle.score(smiles)
        return [{"smiles": text, key: score} for text, score in zip(smiles, scores, strict=True)]
