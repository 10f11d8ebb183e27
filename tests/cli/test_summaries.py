"""What a command says of the molecules that it made."""

from pathlib import Path
from typing import Any, cast

import pytest

from molvae.chem.candidates import REPAIRED
from molvae.cli.commands import generate
from molvae.cli.commands.decorate import what_helps
from molvae.cli.summaries import alert_lines
from molvae.generation.results import Summary
from molvae.generator import MoleculeGenerator

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


@pytest.mark.parametrize(
    ("targets", "shortlist", "advised"), [({"LogP": 2.0}, 4, True), ({}, 4, False), ({}, 1, False)]
)
def test_a_long_shortlist_is_named_where_most_draws_are_repaired(
    tiny_model_file: Path, targets: dict[str, float], shortlist: int, advised: bool
) -> None:
    """Of 268 molecules of BACE: for pIC50=8, 83 % of the draws are repaired with 4, 62 % with 1."""
    assert generate.REPAIRED == REPAIRED
    generator = MoleculeGenerator.load(tiny_model_file)
    summary = cast("Any", Summary)._make([None] * len(Summary._fields))
    summary = summary._replace(refusals={REPAIRED: 52}, settings={"shortlist": shortlist})
    found = generate._what_helps(generator, [generator.request(targets)], summary, patterns=False)
    assert ("--shortlist 1" in found) == advised
