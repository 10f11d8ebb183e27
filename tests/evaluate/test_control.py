import math
from typing import Any

import numpy as np
import pytest

from molvae.chem.properties import PROPERTIES
from molvae.errors import UsageError
from molvae.evaluate.control import (
    EXACT,
    TOLERANCES,
    control,
    fit_line,
    read_requests,
    tolerance,
)
from molvae.evaluate.parsed import parse_molecules

# HeavyAtoms 1, 2, 3, 4; invalid; 6
CHAINS = ("C", "CC", "CCC", "CCCC", "C1CC", "CCCCCC")


def judged(asked, *, name="HeavyAtoms", smiles=CHAINS, scales=None):
    parsed = parse_molecules(smiles, (name,))
    requests = {name: read_requests(asked, count=len(smiles), name=name)}
    return control(parsed, requests, scales=scales)[name]


def test_points_are_scored_by_hand() -> None:
    found = judged([1, 3, 3, 5, 5, None])  # errors 0, -1, 0, -1, invalid
    assert found["asked"] == 5
    assert found["measured"] == 4
    assert found["mae"] == 0.5
    assert found["bias"] == -0.5
    assert found["hit_rate"] == 2 / 5
    assert found["tolerance"] == EXACT
    # realized on requested, (1, 1) (3, 2) (3, 3) (5, 4): sums of products 6, 8, and 5 of squares
    assert found["slope"] == pytest.approx(6 / 8)
    assert found["r2"] == pytest.approx(6**2 / (8 * 5))


def test_ranges_are_scored_by_their_nearer_end() -> None:
    found = judged((2, 3))  # distances 1, 0, 0, 1, invalid, 3
    assert found["mae"] == 5 / 5
    assert found["bias"] == pytest.approx(3 / 5)
    assert not {"tolerance", "slope"} & found.keys()


@pytest.mark.parametrize(
    ("asked", "smiles", "share"),
    [
        ((2, 3), CHAINS, 2 / 6),
        ((-math.inf, 3), CHAINS, 3 / 6),
        ((3, math.inf), CHAINS, 3 / 6),
        ([(1, 1.5), (2.2, 4)], ("C", "CC"), 1 / 2),  # an end belongs to a range, a near miss not
        (3, ("", "C1CC"), 0),
    ],
)
def test_hits_are_a_share_of_all_requests(asked: Any, smiles: Any, share: float) -> None:
    assert judged(asked, smiles=smiles)["hit_rate"] == share


def test_an_open_end_is_never_missed_and_no_molecule_has_no_error() -> None:
    assert judged((3, math.inf))["mae"] == 3 / 5
    found = judged(3, smiles=("", "C1CC"))
    assert found["mae"] is found["bias"] is None


def test_half_a_standard_deviation_of_the_reference_is_a_hit() -> None:
    found = judged(3, scales={"HeavyAtoms": 2.0})  # tolerance 1: 2, 3 and 4 atoms
    assert found["hit_rate"] == 3 / 6
    assert found["tolerance"] == 1
    assert found["mae_sd"] == found["mae"] / 2


def test_a_blank_asks_nothing() -> None:
    found = judged([None, math.nan, 3, 3, None, None])
    assert found["asked"] == 2
    assert found["mae"] == 0.5


def test_nothing_asked_is_nothing_judged() -> None:
    parsed = parse_molecules(CHAINS, ("MW",))
    assert control(parsed, {"MW": read_requests(None, count=6, name="MW")}) == {}


def test_several_requests_are_met_together_or_not() -> None:
    smiles = ("CCO", "CCC", "CCCO", "", "O")
    parsed = parse_molecules(smiles, ("HBD", "HeavyAtoms", "Rings"))
    asked = {
        "HBD": read_requests([1, 1, 1, 1, None], count=5, name="HBD"),
        "HeavyAtoms": read_requests([3, 3, 3, 3, 1], count=5, name="HeavyAtoms"),
        "Rings": read_requests([None, None, 0, None, None], count=5, name="Rings"),
    }
    found = control(parsed, asked)
    assert found["HBD"]["hit_rate"] == 2 / 4
    assert found["HeavyAtoms"]["hit_rate"] == 3 / 5
    assert found["joint"] == {"asked": 4, "hit_rate": 1 / 4}


@pytest.mark.parametrize(
    ("asked", "realized", "line"),
    [
        ([1, 2, 3, 1, 2, 3], [6, 7, 8, 6, 7, 8], (1, 1)),
        ([1, 2, 3, 1, 2, 3], [4, 4, 4, 6, 6, 6], (0, 0)),
        ([1, 2, 3, 1, 2, 3], [0.1] * 6, (0, None)),
        ([1, 2], [1, 3], (2, 1)),
        ([2, 2], [1, 3], (None, None)),
    ],
)
def test_perfect_and_ignored_requests_have_slopes_one_and_zero(
    asked: list[float], realized: list[float], line: Any
) -> None:
    assert fit_line(np.array(asked), np.array(realized)) == pytest.approx(line)


@pytest.mark.parametrize("request_", [(3, 2), math.inf, (math.inf, math.inf), (math.nan, 2)])
def test_a_request_that_no_value_can_meet_is_refused(request_) -> None:
    with pytest.raises(UsageError, match="molecule 1: target LogP = "):
        read_requests([1.0, request_], count=2, name="LogP")


def test_requests_must_be_as_many_as_molecules() -> None:
    with pytest.raises(UsageError, match="2 requests for 3 molecules"):
        read_requests([1.0, 2.0], count=3, name="LogP")


def test_requests_may_come_as_an_array() -> None:
    requests = read_requests(np.array([1.0, np.nan]), count=2, name="LogP")
    assert requests.asked.tolist() == [True, False]


def test_counts_are_hit_exactly_where_no_scale_is_known() -> None:
    assert set(TOLERANCES) == {name for name, known in PROPERTIES.items() if not known.integer}
    assert tolerance("HBD", None) < 1
    assert tolerance("LogP", None) == TOLERANCES["LogP"]
    assert tolerance("LogP", 1.0) == 0.5
