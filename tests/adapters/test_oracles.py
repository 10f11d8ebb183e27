"""molvae's objectives called as TDC's and MolScore's users call theirs."""

import inspect
from typing import Any

import numpy as np
import pandas as pd
import pytest

from molvae.adapters.objectives import measured
from molvae.adapters.oracles import MolScoreFunction, Oracle
from molvae.errors import UsageError
from tests.drugs import DRUGS

SMILES = [smiles for _, smiles in DRUGS[:4]]
QED = measured("QED")(SMILES).tolist()


def best_of(oracle: Any, smiles: list[str]) -> str:
    """Do as an optimizer of the PMO benchmark does: molecule by molecule, best first."""
    return sorted(smiles, key=oracle, reverse=True)[0]


def test_an_oracle_takes_one_molecule_or_a_list_as_tdcs_do() -> None:
    oracle = Oracle(measured("QED"), name="qed")
    assert oracle(SMILES[0]) == QED[0]
    assert oracle(SMILES) == QED
    assert oracle.score(SMILES) == QED
    assert {type(score) for score in [oracle("CCO"), *oracle(SMILES)]} == {float}
    assert best_of(oracle, SMILES) == SMILES[int(np.argmax(QED))]
    assert oracle.name == "qed"


def test_no_score_is_zero_as_in_tdc_unless_something_else_is_bad() -> None:
    assert Oracle(measured("QED"))(["C1CC", "CCO"])[0] == 0.0
    assert Oracle(measured("LogP"), failed=-10.0)("C1CC") == -10.0


class Manager:
    """What MolScore 1.9.5 does: ask its functions for distinct molecules, merge by SMILES."""

    def __init__(self) -> None:
        self.scoring_functions: list[Any] = []

    def __call__(self, smiles: list[str]) -> list[float]:
        results = pd.DataFrame({"smiles": list(dict.fromkeys(smiles))})
        for function in self.scoring_functions:
            found = function(
                smiles=results["smiles"].tolist(),
                directory="run",
                file_names=[f"1_{number}" for number in range(len(results))],
                additional_formats=None,
            )
            results = results.merge(pd.DataFrame(found), on="smiles", how="outer", sort=False)
        results = results.set_index("smiles")
        names = [
            f"{f.prefix}_{metric}" for f in self.scoring_functions for metric in f.return_metrics
        ]
        return [float(results.loc[text, names].mean()) for text in smiles]


def test_molscore_builds_an_objective_of_molvaes() -> None:
    manager = Manager()
    manager.scoring_functions.append(MolScoreFunction(measured("QED"), prefix=" drug likeness"))
    assert manager.scoring_functions[0].prefix == "drug_likeness"
    assert manager([*SMILES, SMILES[0]]) == [*QED, QED[0]]
    manager.scoring_functions.append(MolScoreFunction(measured("Fsp3"), prefix="flat"))
    assert manager(["CCO"]) == [np.mean([measured("QED")(["CCO"])[0], 1.0])]


def test_a_molscore_function_scores_what_is_no_molecule_with_zero_and_has_a_prefix() -> None:
    rows = MolScoreFunction(measured("QED"))(["C1CC", "CCO"])
    assert [row["smiles"] for row in rows] == ["C1CC", "CCO"]
    assert rows[0]["molvae_score"] == 0.0 < rows[1]["molvae_score"]
    with pytest.raises(UsageError, match="prefix is empty"):
        MolScoreFunction(measured("QED"), prefix=" ")
    assert "smiles" in inspect.signature(MolScoreFunction.__call__).parameters
