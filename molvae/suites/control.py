"""Control: requested against realized properties, of a model or any generator.

Four tests, each measured by RDKit on the molecules themselves:

grid: three properties at once, the 27 targets of GCT-Plus (LogP 1, 2, 3; TPSA 30, 60, 90 A^2;
QED 0.6, 0.725, 0.85), with the number of training molecules near each; few are near some.
single: one property at a time, at the targets of MolGPT (doi 10.1021/acs.jcim.1c00600).
calibration: one property at a time, spread over the 5th to 95th percentile of the training set;
slope and R2 of realized on requested values, and the error against shuffled requests.
joint: all properties of real held-out molecules at once. These combinations exist, so do not
compare these errors with those on a grid.
"""

import json
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from molvae.errors import InputError
from molvae.evaluate.parsed import parse_molecules
from molvae.evaluate.text import aligned, cell
from molvae.evaluate.work import Work
from molvae.targets import Range

FORMAT = 1  # of the JSON
GRID = tuple(
    {"LogP": logp, "TPSA": tpsa, "QED": qed}
    for logp, tpsa, qed in product((1.0, 2.0, 3.0), (30.0, 60.0, 90.0), (0.6, 0.725, 0.85))
)
SINGLES = (
    *({"LogP": value} for value in (1.0, 2.0, 3.0)),
    *({"TPSA": value} for value in (30.0, 60.0, 90.0)),
    *({"QED": value} for value in (0.6, 0.725, 0.85)),
    *({"SA": value} for value in (2.0, 2.75, 3.5)),
)
NEAR = {"LogP": 0.4, "TPSA": 5.0, "QED": 0.05}  # a training molecule within these is a neighbor
POPULATED = 500  # training neighbors of a target in the mean of the grid, at least
SAME = 20  # rows with the same request that make up a target, at least
COUNTS = ("HBD", "HBA", "RotB")  # integers: a hit is the exact number
# GCT-Plus on MOSES, as reported: the mean absolute error of its best grid point for each property.
PUBLISHED = {"LogP": 0.180, "TPSA": 3.08, "QED": 0.019}

Training = tuple[np.ndarray, int]  # properties (M, P), and how many molecules these stand for


class Control(NamedTuple):
    """The result of the control benchmark.

    An entry of `grid` and `single` is a target: the request, molecules, MAE and standard deviation
    of the absolute error by property, acceptance rate, neighbors. `joint` has, by property, MAE,
    MAE in standard deviations of the training set (of the requests, for a table), share exact.
    """

    model: str
    settings: Mapping[str, Any]
    grid: Sequence[Mapping[str, Any]]
    single: Sequence[Mapping[str, Any]]
    grid_mean: Mapping[str, Any]  # MAE by property over targets with enough neighbors; their number
    calibration: Mapping[str, Mapping[str, Any]]  # by property; see `model_card.Calibration`
    joint: Mapping[str, Any]
    neighbors: str  # the method of counting
    published: Mapping[str, float]  # GCT-Plus on its best targets
    seed: int | None  # None for a table
    versions: Mapping[str, str]  # and the machine

    def to_json(self) -> str:
        """Return everything as JSON text; undefined numbers are null."""
        return json.dumps({"format": FORMAT, **self._asdict()}, indent=2, allow_nan=False)

    def table(self) -> list[str]:
        """Return the figures as columns of text."""
        lines = [f"control of {self.model}, tier {self.settings['tier'].upper()}"]
        for title, points in (("grid", self.grid), ("single", self.single)):
            if points:
                lines += ["", *_point_lines(title, points)]
        if self.grid_mean:
            mae, best = self.grid_mean["mae"], self.published
            head = [f"mean of {self.grid_mean['targets']} targets", "MAE", "GCT-Plus, its best"]
            rows = [[name, cell(mae[name]), cell(best.get(name))] for name in mae]
            lines += ["", *aligned([head, *rows])]
        if self.calibration:
            keys = ("slope", "r2", "mae", "mae_scaled", "shuffled_ratio")
            heads = ["calibration", "slope", "R2", "MAE", "MAE/sd", "shuffled/own"]
            rows = [[name, *(cell(c[key]) for key in keys)] for name, c in self.calibration.items()]
            lines += ["", *aligned([heads, *rows])]
        if self.joint:
            rows = [
                [name, cell(e["mae"]), cell(e["mae_sd"]), cell(e.get("exact"))]
                for name, e in self.joint["properties"].items()
            ]
            head = [f"joint, {self.joint['molecules']:,} targets", "MAE", "MAE/sd", "exact"]
            lines += ["", *aligned([head, *rows])]
        return lines


def judge_table(
    smiles: Sequence[str],
    targets: Mapping[str, Sequence[Range | None]],
    *,
    training: Training | None,
    name: str,
    versions: Mapping[str, str],
    work: Work,
) -> Control:
    """Compare the molecules of any generator with their targets, whose ranges are ignored.

    20 or more rows with the same request are one target of the grid; all other requests count as
    joint targets. A missing molecule is a miss.

    Raises:
        InputError: without any target.
    """
    names = tuple(targets)
    asked = _points_asked(targets, len(smiles))
    if np.isnan(asked).all():
        raise InputError(
            "the table has no targets: it needs columns such as target_LogP with one value a row."
            " To evaluate molecules without targets, use molvae evaluate."
        )
    parsed = parse_molecules(smiles, names, work, stage="Measuring the molecules")
    errors = parsed.properties - asked  # (N, P), NaN without a target or a molecule
    kinds, which, sizes = np.unique(asked, axis=0, return_inverse=True, return_counts=True)
    which = which.reshape(-1)  # numpy 2.0 gives it another shape
    anything = ~np.isnan(kinds).all(axis=1)
    points = []
    for kind in np.flatnonzero((sizes >= SAME) & anything):
        one = {n: float(v) for n, v in zip(names, kinds[kind], strict=True) if not np.isnan(v)}
        found = summarize_errors({n: errors[which == kind, names.index(n)] for n in one})
        near = neighbors(one, names, training)
        points.append({"asked": one, **found, "acceptance": None, "neighbors": near})
    rest = ((sizes < SAME) & anything)[which]
    grid = [point for point in points if len(point["asked"]) > 1]
    return Control(
        model=name,
        settings={"tier": "as they came"},
        grid=grid,
        single=[point for point in points if len(point["asked"]) == 1],
        grid_mean=grid_mean(grid),
        calibration={},
        joint=_joint_answers(asked[rest], errors[rest], names) if rest.any() else {},
        neighbors=describe_neighbors(training),
        published=PUBLISHED,
        seed=None,
        versions=versions,
    )


def _points_asked(targets: Mapping[str, Sequence[Range | None]], count: int) -> np.ndarray:
    """Return the requested values, NaN for a range or no target, shape (N, P)."""
    asked = np.full((count, len(targets)), np.nan)
    for column, requests in enumerate(targets.values()):
        for row, wanted in enumerate(requests):
            if wanted is not None and wanted[0] == wanted[1]:
                asked[row, column] = wanted[0]
    return asked


def _joint_answers(asked: np.ndarray, errors: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
    """Summarize requests that occur rarely, shape (N, P); their own spread gives the scale."""
    used = [column for column in range(len(names)) if not np.isnan(asked[:, column]).all()]
    scales = {names[column]: float(np.nanstd(asked[:, column])) for column in used}
    return summarize_joint({names[column]: errors[:, column] for column in used}, scales)


def summarize_errors(errors: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Return the number of molecules, and by property the MAE, its spread and the bias.

    Errors are realized minus requested values, NaN for a missing molecule, shape (N,).
    """
    came = {name: error[~np.isnan(error)] for name, error in errors.items()}
    return {
        "molecules": max((len(error) for error in came.values()), default=0),
        "mae": {n: float(np.abs(e).mean()) if e.size else None for n, e in came.items()},
        "sd": {n: float(np.abs(e).std()) if e.size else None for n, e in came.items()},
        "bias": {n: float(e.mean()) if e.size else None for n, e in came.items()},
    }


def summarize_joint(
    errors: Mapping[str, np.ndarray], scales: Mapping[str, float]
) -> dict[str, Any]:
    """Summarize the errors of N molecules with a request each; scales are standard deviations.

    Returns:
        `molecules` (N), `found`, and by property `mae`, `mae_sd` and, for counts, `exact`: the
        share of all N with exactly this number.
    """
    figures: dict[str, dict[str, float | None]] = {}
    for name, error in errors.items():
        came = np.abs(error[~np.isnan(error)])
        mae = float(came.mean()) if came.size else None
        scaled = None if mae is None or not scales[name] > 0.0 else mae / scales[name]
        figures[name] = {"mae": mae, "mae_sd": scaled}
        if name in COUNTS:
            figures[name]["exact"] = int((came < 0.5).sum()) / len(error)
    came_at_all = ~np.all([np.isnan(error) for error in errors.values()], axis=0)
    found = int(came_at_all.sum())
    return {"molecules": len(came_at_all), "found": found, "properties": figures}


def neighbors(
    asked: Mapping[str, float], names: Sequence[str], training: Training | None
) -> int | None:
    """Count the training molecules near a target; a count in a sample is scaled up.

    >>> neighbors({"LogP": 2.0}, ("LogP",), (np.array([[1.0], [1.9], [2.3]]), 6))
    4
    """
    if training is None or not NEAR.keys() >= asked.keys():
        return None
    values, count = training
    near = np.ones(len(values), dtype=bool)
    for name, value in asked.items():
        near &= np.abs(values[:, names.index(name)] - value) <= NEAR[name]
    return round(int(near.sum()) * count / len(values))


def grid_mean(grid: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Average over the targets with enough training neighbors; over all if that is unknown."""
    reached = [
        point
        for point in grid
        if point["molecules"] and (point["neighbors"] is None or point["neighbors"] >= POPULATED)
    ]
    if not reached:
        return {}
    return {
        "targets": len(reached),
        "of": len(grid),
        "mae": {n: float(np.mean([p["mae"][n] for p in reached])) for n in reached[0]["mae"]},
    }


def describe_neighbors(training: Training | None) -> str:
    """Describe the counts of neighbors."""
    if training is None:
        return "not counted: no training set was given"
    within = ", ".join(f"{name} {width:g}" for name, width in NEAR.items())
    values, count = training
    part = "" if len(values) == count else f", estimated from {len(values):,} of them"
    return f"molecules of {count:,} in the training set within {within}{part}"


def _point_lines(title: str, points: Sequence[Mapping[str, Any]]) -> list[str]:
    names = list(dict.fromkeys(name for point in points for name in point["asked"]))
    counted = any(point["neighbors"] is not None for point in points)
    head = [title, *(f"MAE {name}" for name in names), "accepted", *["neighbors"] * counted]
    rows = []
    for point in points:
        asked = " ".join(f"{name}={value:g}" for name, value in point["asked"].items())
        errors = [cell(point["mae"][name]) if name in point["mae"] else "" for name in names]
        near = [cell(point["neighbors"])] if counted else []
        rows.append([asked, *errors, cell(point["acceptance"]), *near])
    return aligned([head, *rows])
