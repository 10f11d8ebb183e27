"""Distributions of properties and rings, and their distance from a reference set."""

import numpy as np
from scipy import stats

from molvae.evaluate.parsed import SHAPES, Parsed
from molvae.evaluate.references import Reference
from molvae.evaluate.sets import Numbers, mean

QUANTILES = {"p5": 0.05, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95}

MEASURED = ("aromatic_atoms", "heavy_atoms")  # of `SHAPES`; the others are shares of molecules


def properties(
    generated: Parsed, reference: Parsed | Reference | None = None
) -> dict[str, Numbers]:
    """Describe each measured property over the valid molecules, duplicates included.

    Args:
        generated: the molecules under test.
        reference: molecules to compare with, measured for the same properties or for some.

    Returns:
        For each property, in its unit: `n` (molecules), `mean`, `sd` (of the population), `p5`,
        `p25`, `median`, `p75`, `p95`; against a reference also `wasserstein` (first Wasserstein
        distance, the property's unit), `shift` (difference of the means in the reference's
        standard deviations), `reference_mean` and `reference_sd`. None if undefined.
    """
    table: dict[str, Numbers] = {}
    for name in generated.names:
        values = known(generated.measured(name))
        table[name] = describe(values)
        if reference is not None and name in reference.names:
            table[name] |= compare(values, known(reference.measured(name)))
    return table


def describe(values: np.ndarray) -> Numbers:
    """Return size, mean, population standard deviation and quantiles of values, shape (N,)."""
    if values.size == 0:
        return {"n": 0, "mean": None, "sd": None, **dict.fromkeys(QUANTILES)}
    levels = np.quantile(values, list(QUANTILES.values()))
    quantiles = dict(zip(QUANTILES, map(float, levels), strict=True))
    return {"n": values.size, "mean": float(values.mean()), "sd": float(values.std()), **quantiles}


def compare(values: np.ndarray, reference: np.ndarray) -> Numbers:
    """Compare values (N,) with those of a reference set (M,).

    The distance is the area between the two cumulative distributions, as in MOSES for LogP, SA,
    QED and weight (https://doi.org/10.3389/fphar.2020.565644).
    """
    if values.size == 0 or reference.size == 0:
        return {"wasserstein": None, "shift": None, "reference_mean": None, "reference_sd": None}
    mean, sd = float(reference.mean()), float(reference.std())
    return {
        "wasserstein": float(stats.wasserstein_distance(values, reference)),
        "shift": (float(values.mean()) - mean) / sd if sd > 0 else None,
        "reference_mean": mean,
        "reference_sd": sd,
    }


def scales(reference: Parsed | Reference) -> dict[str, float]:
    """Return the standard deviation of each property that varies in a reference set."""
    spread = {name: known(reference.measured(name)) for name in reference.names}
    return {name: float(v.std()) for name, v in spread.items() if v.size and v.std() > 0}


def rings(generated: Parsed, reference: Parsed | Reference | None = None) -> dict[str, Numbers]:
    """Describe ring sizes and aromaticity, which reveal silently repaired SELFIES.

    A repaired molecule is smaller, less aromatic and has odd rings (Skinnider 2024,
    https://doi.org/10.1038/s42256-024-00821-x, on why invalid strings are worth discarding).

    Returns:
        For each statistic of `SHAPES` its mean over the valid molecules, as `generated`, and with
        a reference also `reference`, `difference` and, for statistics that are not shares of
        molecules, `wasserstein`: means may agree although distributions differ. None if undefined.
    """
    table: dict[str, Numbers] = {}
    for column, name in enumerate(SHAPES):
        values = generated.shapes[:, column]
        share = mean(values)
        table[name] = {"generated": share}
        if reference is not None:
            others = reference.shapes[:, column]
            other = mean(others)
            difference = None if share is None or other is None else share - other
            table[name] |= {"reference": other, "difference": difference}
            if name in MEASURED:
                table[name]["wasserstein"] = compare(known(values), known(others))["wasserstein"]
    return table


def known(values: np.ndarray) -> np.ndarray:
    """Return the values that are not NaN."""
    return np.asarray(values[~np.isnan(values)])
