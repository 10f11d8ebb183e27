"""`molvae predict`: labels of molecules from the model's property head."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from molvae.cli.layout import Layout
from molvae.cli.outputs import rounded
from molvae.cli.summaries import annotated, applicability, error_text, ood_rule
from molvae.cli.tables import TableCommand, table_command
from molvae.errors import UsageError

if TYPE_CHECKING:
    from molvae.data.molecules import PreparedMolecule
    from molvae.data.tables.records import Row, Table
    from molvae.generation.predict import Prediction
    from molvae.generator import MoleculeGenerator

# Columns: how near a molecule is to the training set, whether it is out of distribution, and why.
OOD = ("ood", "ood_reason")


@click.command(epilog="Try: molvae predict compounds.csv RUN -o predicted.csv")
@click.option(
    "-p",
    "--property",
    "names",
    multiple=True,
    help="Label or property to predict; repeat for more (default: all labels of the model).",
)
@click.option(
    "--fill",
    is_flag=True,
    help="Fill in the empty cells of the label's own column; NAME_predicted marks them.",
)
@table_command()
def command(run: TableCommand, names: tuple[str, ...], fill: bool) -> None:
    """Predict labels of the molecules in FILE with a model that was trained on these labels.

    The output has all columns of FILE and the column predicted_NAME. For a class label, this is the
    most likely class, certainty_NAME is its certainty, 0 to 1, and P(NAME=CLASS) is the probability
    of each class: for a class that is rare in training, compare it with its share there.

    The column nearest is the Tanimoto similarity to the nearest training molecule (Morgan
    fingerprints, radius 2). The column ood flags molecules with a similarity that only 5 % of
    held-out molecules fall short of, and molecules with symbols, a length or properties that the
    training set does not have; ood_reason gives the reason. A model of more than 20,000 training
    molecules has the column percentile of `molvae score` in place of nearest. Expect larger errors
    on flagged molecules than on held-out ones, whose errors the summary reports.
    """
    names = _wanted(run.generator, names)
    filled = _filled(run.table, names) if fill else {}
    work = _Predicting(run, names, filled, _layout(run, names, filled))
    run.run("Predicting", work, run.molecules())


def _wanted(generator: "MoleculeGenerator", names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names to predict, as the model spells them.

    Raises:
        UsageError: for an unknown name, or no name where the model has no labels.
    """
    if names:
        return tuple(dict.fromkeys(generator.spell(name) for name in names))
    if not generator.labels:
        known = ", ".join(generator.normalizer.quantities)
        raise UsageError(
            f"the model has no labels; name a property with --property: {known}. These can also be"
            " computed."
        )
    return generator.labels


def _filled(table: "Table", names: Iterable[str]) -> dict[str, int | None]:
    """Return the place of the column of each name to fill in; None where it is added.

    Raises:
        InputError: when there is more than one column for a name.
    """
    from molvae.data.tables.records import find_column

    lower = {column.lower() for column in table.columns}
    return {name: find_column(table, name) if name.lower() in lower else None for name in names}


def _layout(run: TableCommand, names: Iterable[str], filled: Mapping[str, int | None]) -> Layout:
    """Arrange the columns."""
    new = [name for name, place in filled.items() if place is None]
    for name, place in filled.items():
        new.append(f"{name if place is None else run.table.columns[place]}_predicted")
    for name in () if filled else names:
        new.append(f"predicted_{name}")
        if name in run.generator.normalizer.classes:
            new += [f"certainty_{name}", *_chances(run, name)]
    layout = run.layout((*new, *_nearness(run.generator), *OOD))
    # Whole numbers may be filled in with others, and a Parquet column has values of one type.
    return layout._replace(typed=False) if filled and run.output.kind == "parquet" else layout


def _chances(run: TableCommand, name: str) -> list[str]:
    """Return the columns with the probability of each class of a label."""
    from molvae.generation.results import probability_columns

    return probability_columns(name, run.generator.normalizer.classes[name])


def _nearness(generator: "MoleculeGenerator") -> tuple[str, ...]:
    """Return the column that says how near a molecule is to the training set, if there is one."""
    from molvae.generation.score import typicality_of

    if generator.model.applicability is not None:
        return ("nearest",)
    return ("percentile",) if typicality_of(generator.model) else ()


def _value_and_certainty(prediction: "Prediction", name: str) -> tuple[object, float | None]:
    """Return the prediction, None without one, and the certainty of a class."""
    from molvae.targets import likeliest

    found = prediction.values.get(name)
    if isinstance(found, Mapping):
        word = likeliest(found)
        return word, min(max(found[word], 0.0), 1.0)
    return found, None


@dataclass
class _Predicting:
    """The predictions of molecules, and their counts."""

    run: TableCommand
    names: tuple[str, ...]  # the properties and labels that are predicted
    # The place of the column of each name to fill in, see `_filled`; nothing when columns are added
    # for all.
    filled: Mapping[str, int | None]
    layout: Layout  # of the table that is written
    done: int = 0  # rows with a prediction so far
    not_predicted: int = 0  # rows with symbols that the model does not know
    ood: int = 0  # rows unlike the training set, those included

    def rows(self, batch: Sequence[tuple["Row", "PreparedMolecule"]]) -> Iterator[list[object]]:
        """Yield each row with its predictions."""
        from molvae.generation.predict import predict

        predictions = predict(self.run.generator.model, [molecule for _, molecule in batch])
        for (row, molecule), prediction in zip(batch, predictions, strict=True):
            self.done += bool(prediction.values)
            self.not_predicted += not prediction.values
            self.ood += bool(prediction.ood)
            yield self._row(row, molecule, prediction)

    def _row(
        self, row: "Row", molecule: "PreparedMolecule", prediction: "Prediction"
    ) -> list[object]:
        from molvae.data.tables.cells import is_missing

        new: list[object] = []
        marks: list[object] = []
        fills: dict[int, object] = {}
        for name in self.names:
            value, certainty = _value_and_certainty(prediction, name)
            if not self.filled:
                new.append(value)
                if name in self.run.generator.normalizer.classes:
                    new += [certainty, *self._probabilities(prediction, name)]
                continue
            place = self.filled[name]
            empty = place is None or is_missing(row.cells[place])
            marks.append(empty and value is not None)
            if place is None:
                new.append(value)
            elif empty:
                fills[place] = rounded(value)
        nearness = (getattr(prediction, name) for name in _nearness(self.run.generator))
        new += [*marks, *nearness, bool(prediction.ood), prediction.ood]
        cells = self.layout.row(row, molecule, new)
        for place, value in fills.items():
            cells[place] = value
        return cells

    def _probabilities(self, prediction: "Prediction", name: str) -> list[object]:
        """Return the probability of each class, nothing where there is no prediction."""
        from molvae.targets import probabilities

        reading = prediction.values.get(name)
        if isinstance(reading, Mapping):
            return list(probabilities(reading).values())
        return [None] * len(self.run.generator.normalizer.classes[name])

    def summary(self) -> tuple[dict[str, Any], list[str]]:
        """Return the counts, and the errors on held-out molecules."""
        from molvae.generation.predict import stated_errors

        stated = stated_errors(self.run.generator.model)
        errors = {name: stated.get(name) for name in self.names}
        summary = {
            **self.run.counts(),
            "predicted": self.done,
            "not_predicted": self.not_predicted,
            "ood": self.ood,
            "applicability": applicability(self.run.generator),
            "held_out": errors,
        }
        lines = [f"{name}: {error_text(each or {})}" for name, each in errors.items()]
        return summary, [annotated("predicted", summary), ood_rule(self.run.generator), *lines]
