import json

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from molvae.evaluate import metrics
from molvae.evaluate.bootstrap import means_of, wasserstein_of
from molvae.evaluate.gather import gather
from molvae.evaluate.inputs import Inputs
from molvae.evaluate.report import evaluate
from molvae.evaluate.work import Work
from tests.drugs import DRUGS

SMILES = [smiles for _, smiles in DRUGS]
GENERATED = [*SMILES[:80], "", "C1CC", *SMILES[:10]]
SETS = {"training": SMILES[40:120], "reference": SMILES[100:160]}
TARGETS = {"LogP": [2.0, 3.0] * 46, "QED": (0.5, 0.9)}


def number(values, name: str):
    """Return the number that an interval is of."""
    table, *rest = name.split(".")
    if not rest:
        return values[table]
    row, column = rest
    return values[table][row][column]


@pytest.mark.parametrize("suite", metrics.suites())
def test_means_of_each_molecule_are_the_metrics(suite: str) -> None:
    given = Inputs.of(GENERATED, SETS["reference"], SETS["reference"][:20], SETS["training"])
    names = ("LogP", "SA", "QED", "MW")
    sets = gather(given, names, Work(), suite=suite, fcd=False, seed=0, memorization=True)
    numbers = metrics.measure(sets, suite=suite)
    columns = metrics.means(sets, suite=suite)
    assert {"training_similarity", "near_copies"} < set(columns)
    for name, column in columns.items():
        assert column.shape == (len(GENERATED),)
        assert np.nanmean(column) == pytest.approx(numbers[name])


@pytest.mark.parametrize("suite", ["basic", "moses"])
def test_every_interval_is_about_its_number(suite: str) -> None:
    found = evaluate(GENERATED, suite=suite, fcd=False, targets=TARGETS, bootstrap=60, **SETS)
    assert len(found.intervals) > 30
    for name, (low, high) in found.intervals.items():
        value = number(found.values, name)
        spread = max(high - low, 1e-9)
        assert low <= high
        assert low - spread <= value <= high + spread, name


def test_weights_of_one_give_the_number_itself() -> None:
    rng = np.random.default_rng(0)
    column, reference = rng.normal(size=50), rng.normal(1, 2, size=70)
    column[[3, 7]] = np.nan
    known = column[~np.isnan(column)]
    ones = np.ones(50)
    assert means_of([column, column + 1])(ones) == pytest.approx([known.mean(), known.mean() + 1])
    expected = wasserstein_distance(known, reference)
    assert wasserstein_of(column, reference)(ones) == pytest.approx([expected])
    weights = rng.integers(0, 4, size=50).astype(float)
    repeated = np.repeat(column, weights.astype(int))
    repeated = repeated[~np.isnan(repeated)]
    assert means_of([column])(weights) == pytest.approx([repeated.mean()])
    expected = wasserstein_distance(repeated, reference)
    assert wasserstein_of(column, reference)(weights) == pytest.approx([expected])


def test_the_interval_of_a_share_is_that_of_the_binomial() -> None:
    found = evaluate(["CCO", "CCO", "CCO", ""] * 100, bootstrap=800)
    low, high = found.intervals["validity"]
    sd = (0.75 * 0.25 / 400) ** 0.5
    assert (low, high) == pytest.approx((0.75 - 1.96 * sd, 0.75 + 1.96 * sd), abs=0.25 * sd)


def test_slopes_are_resampled_as_lines() -> None:
    generated = ["C" * n for n in (1, 2, 3, 4, 5, 6)] * 5
    exact = evaluate(generated, targets={"HeavyAtoms": [1, 2, 3, 4, 5, 6] * 5}, bootstrap=40)
    for name in ("slope", "r2"):
        assert exact.intervals[f"control.HeavyAtoms.{name}"] == pytest.approx((1, 1))
    loose = evaluate(generated, targets={"HeavyAtoms": [1, 2, 3, 4, 6, 4] * 5}, bootstrap=40)
    low, high = loose.intervals["control.HeavyAtoms.slope"]
    assert low < loose.values["control"]["HeavyAtoms"]["slope"] < high


def test_the_seed_decides_and_what_has_no_interval_is_said() -> None:
    first, again, other = (
        evaluate(GENERATED, bootstrap=20, seed=seed).intervals for seed in (1, 1, 2)
    )
    assert first == again != other
    found = evaluate(GENERATED, bootstrap=20, **SETS)
    assert not {"uniqueness", "IntDiv1", "symbol_distance"} & set(found.intervals)
    assert any("20 resamples" in note and "IntDiv" in note for note in found.notes)


def test_nothing_valid_has_no_intervals_but_of_validity() -> None:
    found = evaluate(["", "C1CC"], bootstrap=5, targets={"LogP": 1.0}, **SETS)
    assert found.intervals["validity"] == (0, 0)
    assert set(found.intervals) == {"validity", "control.LogP.hit_rate"}


def test_intervals_are_written_and_shown() -> None:
    found = evaluate(GENERATED, bootstrap=20, targets={"LogP": 2.0}, **SETS)
    plain = json.loads(found.to_json())
    assert plain["intervals"]["novelty"] == list(found.intervals["novelty"])
    lines = found.table()
    (validity,) = (line for line in lines if line.startswith("validity"))
    assert validity.endswith(")")
    assert any(line.startswith("control, 95 %") for line in lines)
    assert json.loads(evaluate(["CCO"]).to_json())["intervals"] == {}
