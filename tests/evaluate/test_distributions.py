import numpy as np
import pytest

from molvae.evaluate import distributions
from molvae.evaluate.parsed import parse_molecules
from tests.drugs import DRUGS

SMILES = [smiles for _, smiles in DRUGS]


def test_four_values_are_described_by_hand() -> None:
    found = distributions.describe(np.array([1.0, 2.0, 3.0, 4.0]))
    assert found == pytest.approx(
        {"n": 4, "mean": 2.5, "sd": 1.25**0.5}
        | {"p5": 1.15, "p25": 1.75, "median": 2.5, "p75": 3.25, "p95": 3.85}
    )


def test_distance_and_shift_by_hand() -> None:
    found = distributions.compare(np.array([0.0, 4.0]), np.array([2.0, 3.0]))
    expected = {"wasserstein": 1.5, "shift": -1, "reference_mean": 2.5, "reference_sd": 0.5}
    assert found == pytest.approx(expected)


def test_distance_sees_spread_where_means_are_equal() -> None:
    found = distributions.compare(np.array([0.0, 4.0]), np.array([1.0, 3.0]))
    assert (found["wasserstein"], found["shift"]) == (1, 0)


def test_a_set_is_at_no_distance_from_itself_in_any_order() -> None:
    one, other = (parse_molecules(part, ("LogP", "MW")) for part in (SMILES[:30], SMILES[29::-1]))
    for row in distributions.properties(one, other).values():
        assert (row["wasserstein"], row["shift"]) == pytest.approx((0, 0), abs=1e-12)


def test_a_property_that_does_not_vary_in_the_reference_has_no_shift() -> None:
    ethanol = parse_molecules(["CCO", "OCC"], ("MW",))
    assert distributions.properties(ethanol, ethanol)["MW"]["shift"] is None
    assert distributions.scales(ethanol) == {}


def test_invalid_molecules_enter_no_mean() -> None:
    some = distributions.properties(parse_molecules(["CCO", "", "C1CC"], ("HBD",)))
    assert (some["HBD"]["n"], some["HBD"]["mean"]) == (1, 1)


def test_without_a_valid_molecule_everything_is_undefined() -> None:
    nothing, drugs = parse_molecules(["", "C1CC"], ("MW",)), parse_molecules(SMILES[:3], ("MW",))
    row = distributions.properties(nothing, drugs)["MW"]
    assert row.pop("n") == 0
    assert set(row.values()) == {None}
    assert set(distributions.rings(nothing)["ring_3"].values()) == {None}
    assert distributions.rings(nothing, drugs)["ring_3"]["difference"] is None


def test_rings_are_compared_with_the_reference() -> None:
    generated = parse_molecules(["C1CC1", "Cc1ccccc1", "CCO", ""], ())
    reference = parse_molecules(["Cc1ccccc1", "Cc1ccccc1"], ())
    table = distributions.rings(generated, reference)
    assert table["ring_3"] == pytest.approx(
        {"generated": 1 / 3, "reference": 0, "difference": 1 / 3}
    )
    assert table["aromatic_atoms"] == pytest.approx(
        {"generated": 2 / 7, "reference": 6 / 7, "difference": -4 / 7, "wasserstein": 4 / 7}
    )
    assert table["heavy_atoms"]["generated"] == 13 / 3
