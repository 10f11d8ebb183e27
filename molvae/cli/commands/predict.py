"""`molvae predict`: labels of molecules from the model's property head."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from molvae.cli import options
from molvae.cli.outputs import TableOutput, table_output
from molvae.cli.summaries import annotated, held_out
from molvae.cli.tables import Kept, TableCommand, TableInput, table_input
from molvae.errors import UsageError

if TYPE_CHECKING:
    from molvae.data.molecules import PreparedMolecule
    from molvae.data.tables.records import Row
    from molvae.generation.predict import Prediction
    from molvae.generator import MoleculeGenerator

OOD = ("ood", "ood_reason")  # columns: whether a molecule is out of distribution, and why


@click.command(epilog="Try: molvae predict compounds.csv RUN -o predicted.csv")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("model", default="druglike")
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
@table_input
@options.device
@table_output("--output-format")
def command(
    file: Path,
    model: str,
    names: tuple[str, ...],
    fill: bool,
    device: str,
    source: TableInput,
    output: TableOutput,
) -> None:
    """Predict labels of the molecules in FILE with a model that was trained on these labels.

    The output has all columns of FILE and the column predicted_NAME. For a class label, this is the
    most likely class, and certainty_NAME is its certainty, 0 to 1. The column ood flags molecules
    unlike the training set, ood_reason gives the reason. Expect larger errors on these than on
    held-out molecules, whose errors the summary reports.
    """
    run = TableCommand(file, model, device=device, source=source, output=output)
    layout = _Layout.of(run, _wanted(run.generator, names), fill=fill)
    run.run("Predicting", _Predicting(run, layout), run.molecules())


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


class _Layout(NamedTuple):
    """The columns of the table that is written.

    Attributes:
        kept: the table's own columns.
        filled: of each name to fill in, the place of its column in the table that is read, None
            where it is added; nothing when columns are added for all.
        names: the properties and labels that are predicted.
        classes: those of them that are class labels.
        columns: all.
    """

    kept: Kept
    filled: Mapping[str, int | None]
    names: tuple[str, ...]
    classes: frozenset[str]
    columns: tuple[str, ...]

    @classmethod
    def of(cls, run: TableCommand, names: tuple[str, ...], *, fill: bool) -> "_Layout":
        """Arrange the columns; those of an earlier prediction are replaced.

        Raises:
            InputError: when there is more than one column to fill in for a name.
        """
        from molvae.data.tables.records import find_column

        table = run.table
        classes = frozenset(names) & frozenset(run.generator.normalizer.classes)
        lower = {column.lower() for column in table.columns}
        filled = {
            name: find_column(table, name) if name.lower() in lower else None
            for name in (names if fill else ())
        }
        added = [name for name, place in filled.items() if place is None]
        more = [
            f"{name if place is None else table.columns[place]}_predicted"
            for name, place in filled.items()
        ]
        for name in () if fill else names:
            more += [f"predicted_{name}", *([f"certainty_{name}"] if name in classes else [])]
        kept = run.keep((*more, *OOD), molecules=True)
        return cls(kept, filled, names, classes, (*kept.names, *added, *more, *OOD))

    def row(
        self, row: "Row", molecule: "PreparedMolecule", prediction: "Prediction"
    ) -> list[object]:
        """Return a row of the table that is written."""
        cells = self.kept.cells(row, molecule)
        added: list[object] = []
        more: list[object] = []
        for name in self.names:
            value, certainty = _value_and_certainty(prediction, name)
            if not self.filled:
                more += [value, certainty] if name in self.classes else [value]
                continue
            place = self.filled[name]
            empty = place is None or not row.cells[place].strip()
            more.append(empty and value is not None)
            if place is None:
                added.append(value)
            elif empty:
                cells[self.kept.places.index(place)] = value
        return [*cells, *added, *more, bool(prediction.ood), prediction.ood]


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
    """The predictions of molecules, and their counts.

    Attributes:
        run: the command at work.
        layout: of the table that is written.
        done: rows with a prediction so far.
        not_predicted: rows with symbols that the model does not know.
        ood: rows unlike the training set, those included.
    """

    run: TableCommand
    layout: _Layout
    done: int = 0
    not_predicted: int = 0
    ood: int = 0

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the table that is written."""
        return self.layout.columns

    @property
    def smiles(self) -> int:
        """The place of the column of molecules among them."""
        return self.layout.kept.places.index(self.run.table.smiles)

    def rows(self, batch: Sequence[tuple["Row", "PreparedMolecule"]]) -> Iterator[list[object]]:
        """Yield each row with its predictions."""
        from molvae.generation.predict import predict

        predictions = predict(self.run.generator.model, [molecule for _, molecule in batch])
        for (row, molecule), prediction in zip(batch, predictions, strict=True):
            self.done += bool(prediction.values)
            self.not_predicted += not prediction.values
            self.ood += bool(prediction.ood)
            yield self.layout.row(row, molecule, prediction)

    def summary(self) -> dict[str, Any]:
        """Return the counts, and the errors on held-out molecules."""
        from molvae.generation.predict import stated_errors

        stated = stated_errors(self.run.generator.model)
        return {
            **self.run.counts(),
            "predicted": self.done,
            "not_predicted": self.not_predicted,
            "ood": self.ood,
            "held_out": {name: stated.get(name) for name in self.layout.names},
        }

    def lines(self) -> Iterator[str]:
        """Yield the summary in words."""
        summary = self.summary()
        yield annotated("predicted", summary)
        for name, errors in summary["held_out"].items():
            if errors and errors.get("mae") is not None:
                r2 = f", R2 {errors['r2']:.2f}" if errors.get("r2") is not None else ""
                yield f"{name}: mean error {errors['mae']:.3g}{r2} on {held_out(errors)}"
            elif errors and errors.get("accuracy") is not None:
                area = f", ROC AUC {errors['auc']:.2f}" if errors.get("auc") is not None else ""
                largest = f" ({errors['largest']:.0%} are in the largest class)"
                accuracy = f"{errors['accuracy']:.0%} on {held_out(errors)}"
                yield f"{name}: accuracy {accuracy}{largest}{area}"
            else:
                yield f"{name}: the error of this model's predictions is unknown"
