"""The molecules that a model generates, and an honest account of how they came about."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar, overload

import numpy as np

from molvae.arguments import listed
from molvae.normalizer import Reading, class_column
from molvae.targets import (
    Wanted,
    certainty,
    format_range,
    is_hit,
    likeliest,
    miss,
    probabilities,
)

NO_LABELS: Mapping[str, Mapping[str, float]] = {}


class Decoration(NamedTuple):
    """What was written at the open atoms of a core.

    Attributes:
        core: as it was given.
        smiles: the new parts, with `[*:N]` where each was bonded to the core.
        parts: the new part at each mark, by its number; empty where the core has no marks.
        nll: -log p of their symbols given z, c and the core, nats.
    """

    core: str
    smiles: str
    parts: Mapping[int, str]
    nll: float


class Values(dict[str, float]):
    """Properties by name: a dictionary that prints the digits that mean something.

    >>> Values(MW=248.36999999999998, LogP=2.9738400000000005)
    {'MW': 248.4, 'LogP': 2.974}
    """

    def __repr__(self) -> str:
        """Return the dictionary with four digits of each value."""
        return "{" + ", ".join(f"{name!r}: {value:.4g}" for name, value in self.items()) + "}"


class Generated(NamedTuple):
    """One molecule.

    Attributes:
        id: 1, 2, ...: together with model and seed, enough to draw it again.
        smiles: canonical.
        properties: measured, in their units, by name.
        predicted: labels that cannot be computed from a structure, as the property head predicts
            them, by name: a number, or the probability of each class, about 0 to 1.
        targets: by name: (low, high), or classes such as `a|b`.
        novel: not in the training set (up to the index's stated error rate).
        ood: a target lies outside the model's training range, or no training molecule is near all
            targets together.
        nll: -log p(x given z, c) of the string, nats.
        decoration: of a molecule that keeps a core.
    """

    id: int
    smiles: str
    properties: Mapping[str, float]
    predicted: Mapping[str, Reading]
    targets: Mapping[str, Wanted]
    novel: bool
    ood: bool
    nll: float
    decoration: Decoration | None = None

    def row(self) -> dict[str, Any]:
        """Return the molecule as a table's row, columns in their documented order."""
        kept, cost = {}, {}
        if (grown := self.decoration) is not None:
            parts = {f"R{number}": part for number, part in grown.parts.items()}
            kept = {"core": grown.core, "decoration": grown.smiles, **parts}
            cost = {"decoration_nll": grown.nll}
        return {
            "ID": self.id,
            "SMILES": self.smiles,
            **kept,
            **self.properties,
            **predicted_cells(self.predicted),
            **{f"target_{name}": format_range(wanted) for name, wanted in self.targets.items()},
            "novel": self.novel,
            "ood": self.ood,
            "nll": self.nll,
            **cost,
        }


def predicted_cells(predicted: Mapping[str, Reading]) -> dict[str, float | str]:
    """Return what a property head predicts as cells.

    A class label gives its likeliest class, and the probability of each class.
    """
    cells: dict[str, float | str] = {}
    for name, got in predicted.items():
        cells[f"predicted_{name}"] = likeliest(got) if isinstance(got, Mapping) else got
        if isinstance(got, Mapping):
            cells |= probability_cells(name, got)
    return cells


def probability_cells(label: str, reading: Mapping[str, float]) -> dict[str, float]:
    """Return the probability of each class of a label, by column: `P(activity=active)`."""
    columns = probability_columns(label, reading)
    return dict(zip(columns, probabilities(reading).values(), strict=True))


def probability_columns(label: str, classes: Iterable[str]) -> list[str]:
    """Return the names of the columns of `probability_cells`."""
    return [f"P({class_column(label, word)})" for word in classes]


def columns_of(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the columns of a table of rows: targets stand together, whichever rows have them.

    Args:
        rows: from `Generated.row`, with columns of one's own behind or without.
    """
    columns = list(dict.fromkeys(chain.from_iterable(rows))) or ["ID", "SMILES"]
    asked = [column for column in columns if column.startswith("target_")]
    rest = [column for column in columns if column not in asked]
    place = rest.index("novel") if asked else 0
    return rest[:place] + asked + rest[place:]


class Control(NamedTuple):
    """Targets compared with results, for one property.

    For a class label, the value is the predicted probability of the requested classes.

    Attributes:
        molecules: the number with a target and a value.
        mae: mean distance to the target, 0 inside a range, in the property's unit.
        mae_scaled: the same in standard deviations of the training set.
        mean: of the values.
        hit_rate: share inside the range, within half a standard deviation of a point, or with a
            requested class as the one whose probability is the most times its base rate.
        base_rate: share of the training molecules that have the requested classes; None for a
            number.
    """

    molecules: int
    mae: float
    mae_scaled: float
    mean: float
    hit_rate: float
    base_rate: float | None = None


class Summary(NamedTuple):
    """How a generation went.

    Attributes:
        tier: "raw" or "consistent".
        requested: molecules asked for.
        found: molecules returned.
        draws: strings the decoder wrote in all.
        acceptance: share of the first draw of each molecule that SELFIES did not have to repair:
            the counterpart of a SMILES model's validity.
        uniqueness: share of distinct molecules among the first draws.
        novelty: share of the returned molecules that are not in the training set.
        index_error_rate: how often a new molecule is taken for one of the training set.
        refusals: draws that were not used, by reason; with the found ones they make up `draws`.
        control: asked against got, by property.
        all_met: share of the molecules with targets that meet all of them together; NaN without.
        seed: to repeat it.
        model: short hash of the model's content.
        settings: temperature and the like.
        seconds: it took.
    """

    tier: str
    requested: int
    found: int
    draws: int
    acceptance: float
    uniqueness: float
    novelty: float
    index_error_rate: float
    refusals: Mapping[str, int]
    control: Mapping[str, Control]
    seed: int
    model: str
    settings: Mapping[str, Any]
    seconds: float
    all_met: float = math.nan

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; a share of nothing is None."""
        plain = self._asdict()
        plain["control"] = {name: control._asdict() for name, control in self.control.items()}
        for name in ("acceptance", "uniqueness", "novelty", "all_met"):
            plain[name] = None if math.isnan(plain[name]) else plain[name]
        return plain


if TYPE_CHECKING:
    import pandas as pd

Molecule = TypeVar("Molecule", covariant=True)
PRINTED = 10  # molecules that a generation shows as text


@dataclass(frozen=True)
class Generation(Sequence[Molecule], Generic[Molecule]):
    """The molecules of one run, as a sequence, and the account of how they came about.

    Attributes:
        molecules: in the order of their IDs.
        summary: acceptance, uniqueness, refusals, and what came of the targets.
    """

    molecules: Sequence[Molecule]
    summary: Summary

    def __repr__(self) -> str:
        """Return the number of molecules and the first ones, a line each: what `print` shows."""
        shown: list[Any] = list(self.molecules[:PRINTED])
        smiles = [getattr(each, "molecule", each).smiles for each in shown]
        more = ["..."] if len(self) > PRINTED else []
        return "\n".join([f"{len(self)} molecules, seed {self.summary.seed}:", *smiles, *more])

    def _repr_html_(self) -> str:
        """Return pictures of the first molecules with their values: what a notebook shows."""
        from molvae.generation.pictures import SHOWN, grid, legend  # loads RDKit's drawing

        shown: list[Any] = list(self.molecules[:SHOWN])
        rows = [each.row() for each in shown]
        plain: list[Generated] = [getattr(each, "molecule", each) for each in shown]
        legends = [
            legend(row, [*each.properties, *(f"predicted_{name}" for name in each.predicted)])
            for row, each in zip(rows, plain, strict=True)
        ]
        summary = self.summary
        more = f"{len(rows)} of {len(self)} molecules, {summary.draws} draws, seed {summary.seed},"
        more += f" model {summary.model}"
        return grid([row["SMILES"] for row in rows], legends, more)

    def __len__(self) -> int:
        """Return the number of molecules."""
        return len(self.molecules)

    @overload
    def __getitem__(self, place: int) -> Molecule: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Molecule]: ...

    def __getitem__(self, place: int | slice) -> Molecule | Sequence[Molecule]:
        """Return one molecule, or several."""
        return self.molecules[place]


def control_errors(
    molecules: Sequence[Generated],
    scale: Mapping[str, float],
    rates: Mapping[str, Mapping[str, float]] = NO_LABELS,
) -> dict[str, Control]:
    """Compare targets with results, property by property.

    Args:
        molecules: with their targets.
        scale: standard deviation of each property in the training set.
        rates: share of each class of each class label there.
    """
    found = {}
    for name in dict.fromkeys(name for molecule in molecules for name in molecule.targets):
        pairs = [
            (got, molecule.targets[name])
            for molecule in molecules
            if name in molecule.targets
            and (got := {**molecule.predicted, **molecule.properties}.get(name)) is not None
        ]
        if not pairs:
            continue
        mae = float(np.mean([miss(got, wanted) for got, wanted in pairs]))
        near, shares = 0.5 * scale[name], rates.get(name, {})
        hits = [is_hit(got, wanted, tolerance=near, rates=shares) for got, wanted in pairs]
        bases = [certainty(shares, str(wanted)) for _, wanted in pairs] if shares else []
        found[name] = Control(
            molecules=len(pairs),
            mae=mae,
            mae_scaled=mae / scale[name],
            mean=float(np.mean([_value(got, wanted) for got, wanted in pairs])),
            hit_rate=float(np.mean(hits)),
            base_rate=float(np.mean(bases)) if bases else None,
        )
    return found


def _value(got: Reading, wanted: Wanted) -> float:
    return certainty(probabilities(got), str(wanted)) if isinstance(got, Mapping) else got


def joined(summaries: Sequence[Summary]) -> Summary:
    """Return the account of several runs of one kind, at least one, as of one run."""
    refusals: Counter[str] = Counter()
    for summary in summaries:
        refusals.update(summary.refusals)
    found, draws = (sum(getattr(s, name) for s in summaries) for name in ("found", "draws"))

    def mean(name: str, weight: str, total: int) -> float:
        pairs = [(getattr(s, name), getattr(s, weight)) for s in summaries]
        return share(math.fsum(value * number for value, number in pairs if number), total)

    return summaries[0]._replace(
        requested=sum(summary.requested for summary in summaries),
        found=found,
        draws=draws,
        acceptance=mean("acceptance", "draws", draws),
        uniqueness=mean("uniqueness", "draws", draws),
        novelty=mean("novelty", "found", found),
        refusals=dict(refusals.most_common()),
        seconds=math.fsum(summary.seconds for summary in summaries),
    )


def share(count: float, total: int) -> float:
    """Return count / total, NaN of nothing."""
    return count / total if total else math.nan


def to_frame(molecules: Iterable[Any]) -> "pd.DataFrame":
    """Return molecules as a table, one a row, with the columns of `Generated.row`.

    A column `target_NAME` holds numbers when all of its requests are points, else text such as
    `0.8..0.95` or a class. The last column, `mol`, holds RDKit molecules; with
    `rdkit.Chem.PandasTools.RenderImagesInAllDataFrames()` a notebook draws them.

    Args:
        molecules: from `generate`, `neighbors`, `augment`, `decorate` or `link`.
    """
    import pandas as pd  # a third of a second that no other use needs
    from rdkit import Chem

    molecules = listed("to_frame", molecules, "molecules, as generate returns them")
    rows = [molecule.row() for molecule in molecules]
    frame = pd.DataFrame(rows, columns=columns_of(rows))
    asked = [item for each in molecules for item in getattr(each, "molecule", each).targets.items()]
    text = {name for name, wanted in asked if isinstance(wanted, str) or wanted[0] != wanted[1]}
    points = {f"target_{name}" for name in dict(asked).keys() - text}
    for column in points.intersection(frame):  # the row of a variant has no targets
        frame[column] = frame[column].astype(float)
    frame["mol"] = [Chem.MolFromSmiles(row["SMILES"]) for row in rows]
    return frame
