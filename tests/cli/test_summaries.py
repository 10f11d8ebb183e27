"""What a command says of the molecules that it made."""

from typing import Any, cast

import pytest

from molvae.cli.commands.decorate import what_helps
from molvae.cli.summaries import alert_lines
from molvae.generation.results import Summary

PHENOL, QUINONE, ENOL_ETHER = "Oc1ccccc1", "O=C1C=CC(=O)C=C1", "COC=Cc1ccccc1"


@pytest.mark.parametrize(
    ("smiles", "filters", "expected"),
    [
        (
            [PHENOL, QUINONE, ENOL_ETHER, QUINONE],
            [],
            "structural alerts (BRENK) in 75% of molecules: chinone_1 (2), acyclic_C=C-O (1);"
            " --filter BRENK rejects them",
        ),
        ([QUINONE] * 1001, ["PAINS"], "in 100% of the first 1000 molecules: chinone_1 (1000)"),
        ([PHENOL], [], ""),
        ([QUINONE], ["BRENK"], ""),
        ([], [], ""),
    ],
)
def test_molecules_with_structural_alerts_are_counted(
    smiles: list[str], filters: list[str], expected: str
) -> None:
    assert expected in "".join(alert_lines(smiles, filters))
    assert bool(expected) == bool(list(alert_lines(smiles, filters)))


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        ("core grown elsewhere", "--anywhere"),
        ("duplicate", "a smaller core"),
        (
            "LogP out of range",
            "A wider range is met more often.",
        ),
        ("repaired by SELFIES", "A larger --max-tries tries longer."),
    ],
)
def test_too_few_molecules_with_a_core_come_with_advice(reason: str, advice: str) -> None:
    summary = cast("Any", Summary)._make([None] * len(Summary._fields))
    found = what_helps(summary._replace(refusals={reason: 3, "duplicate": 1}))
    assert advice in found
    assert ("wider" in advice) == ("wider" in found)
