"""`molvae predict`: labels read off molecules by the model's property head."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from molvae.cli.annotation import Annotation, annotating, own_cells
from molvae.cli.generators import held_out
from molvae.errors import UsageError

if TYPE_CHECKING:
    from molvae.data.molecules import PreparedMolecule
    from molvae.data.tables.records import Row, Table
    from molvae.generation.predict import Prediction
    from molvae.generator import MoleculeGenerator

OOD = ("ood", "ood_reason")  # columns: whether a molecule is unlike the training set, and how


@click.command(epilog="Try: molvae predict compounds.csv RUN -o predicted.csv")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("model", default="druglike")
@click.option(
    "-p",
    "--property",
    "names",
    multiple=True,
    help="Label or property to read; repeat for more (default: all labels of the model).",
)
@click.option(
    "--fill",
    is_flag=True,
    help="Fill in the empty cells of the label's own column instead; NAME_predicted tells which.",
)
@annotating
def command(file: Path, model: str, names: tuple[str, ...], fill: bool, **options: Any) -> None:
    """Predict labels of the molecules in FILE with a model that was trained on such labels.

    Each row is written again, with predicted_NAME behind its own columns. Of a class label that is
    the likeliest class, and certainty_NAME tells how much speaks for it, 0 to 1. Molecules unlike
    all of the training set are marked in the column ood; ood_reason says how they differ, and
    errors are larger there than those on held-out molecules, which are reported.
    """

    def reading_of(generator: "MoleculeGenerator", table: "Table", spelled: int | None) -> _Reading:
        layout = _Layout.of(table, generator, _wanted(generator, names), fill=fill)
        return _Reading(generator, layout._replace(spelled=spelled))

    Annotation(file, model, **options).run("Predicting", reading_of)


def _wanted(generator: "MoleculeGenerator", names: tuple[str, ...]) -> tuple[str, ...]:
    """Return what is to be read, as the model spells it.

    Raises:
        UsageError: for an unknown name, or no name where the model has no labels.
    """
    if names:
        return tuple(dict.fromkeys(generator.spell(name) for name in names))
    if not generator.labels:
        known = ", ".join(generator.normalizer.quantities)
        raise UsageError(
            f"the model has no labels; name what to read with --property: {known}. These can also"
            " be computed."
        )
    return generator.labels


class _Layout(NamedTuple):
    """The columns of the table to be.

    Attributes:
        given: the places of those of the table that is read.
        own: of each name to fill in, the place of the column that holds it, None where it is added;
            nothing when columns are added.
        names: what is read.
        classes: those of them that are class labels.
        columns: all.
        smiles: the place of the molecules among them.
        spelled: the place of the column in which a mol block becomes SMILES, since only an SD file
            has room for it; None where it stays.
    """

    given: tuple[int, ...]
    own: Mapping[str, int | None]
    names: tuple[str, ...]
    classes: frozenset[str]
    columns: tuple[str, ...]
    smiles: int
    spelled: int | None = None

    @classmethod
    def of(
        cls, table: "Table", generator: "MoleculeGenerator", names: tuple[str, ...], *, fill: bool
    ) -> "_Layout":
        """Lay the columns out; those that an earlier prediction wrote are written anew.

        Raises:
            InputError: when there is more than one column to fill in for a name.
        """
        from molvae.data.tables.records import find_column

        classes = frozenset(names) & frozenset(generator.normalizer.classes)
        lower = {column.lower() for column in table.columns}
        own = {
            name: find_column(table, name) if name.lower() in lower else None
            for name in (names if fill else ())
        }
        added = [name for name, place in own.items() if place is None]
        more = [
            f"{name if place is None else table.columns[place]}_predicted"
            for name, place in own.items()
        ]
        for name in () if fill else names:
            more += [f"predicted_{name}", *([f"certainty_{name}"] if name in classes else [])]
        given = [
            place
            for place, column in enumerate(table.columns)
            if place == table.smiles or column not in (*more, *OOD)
        ]
        columns = (*(table.columns[place] for place in given), *added, *more, *OOD)
        smiles = given.index(table.smiles)
        return cls(tuple(given), own, names, classes, columns, smiles)

    def row(self, row: "Row", seen: "PreparedMolecule", prediction: "Prediction") -> list[object]:
        """Return a row of the table to be."""
        cells = own_cells(row, seen, self.given, spelled=self.spelled)
        added: list[object] = []
        more: list[object] = []
        for name in self.names:
            value, certainty = _told(prediction, name)
            if not self.own:
                more += [value, certainty] if name in self.classes else [value]
                continue
            place = self.own[name]
            empty = place is None or not row.cells[place].strip()
            more.append(empty and value is not None)
            if place is None:
                added.append(value)
            elif empty:
                cells[self.given.index(place)] = value
        return [*cells, *added, *more, bool(prediction.ood), prediction.ood]


def _told(prediction: "Prediction", name: str) -> tuple[object, float | None]:
    """Return what is predicted, None where nothing is, and how sure a class is."""
    from molvae.targets import likeliest

    read = prediction.values.get(name)
    if isinstance(read, Mapping):
        word = likeliest(read)
        return word, min(max(read[word], 0.0), 1.0)
    return read, None


@dataclass
class _Reading:
    """What is predicted, and its counts.

    Attributes:
        generator: the model.
        layout: of the table to be.
        read: rows with a prediction so far.
        unread: rows with symbols that the model does not know.
        ood: rows unlike the training set, those included.
    """

    generator: "MoleculeGenerator"
    layout: _Layout
    read: int = 0
    unread: int = 0
    ood: int = 0

    @property
    def given(self) -> tuple[int, ...]:
        """The places of the table's columns that are kept."""
        return self.layout.given

    @property
    def smiles(self) -> int:
        """The place of the molecules among the columns."""
        return self.layout.smiles

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns of the table to be."""
        return self.layout.columns

    def rows(self, molecules: Sequence[tuple["Row", "PreparedMolecule"]]) -> Iterator[list[object]]:
        """Yield a row of the table to be for each molecule."""
        from molvae.generation.predict import predict

        predictions = predict(self.generator.model, [found for _, found in molecules])
        for (row, found), prediction in zip(molecules, predictions, strict=True):
            self.read += bool(prediction.values)
            self.unread += not prediction.values
            self.ood += bool(prediction.ood)
            yield self.layout.row(row, found, prediction)

    def summary(self) -> dict[str, Any]:
        """Return the counts, and what is known of the errors."""
        from molvae.generation.predict import stated_errors

        stated = stated_errors(self.generator.model)
        return {
            "predicted": self.read,
            "not_predicted": self.unread,
            "ood": self.ood,
            "held_out": {name: stated.get(name) for name in self.layout.names},
        }

    def lines(self, summary: Mapping[str, Any]) -> Iterable[str]:
        """Return it in words."""
        return _lines(summary)


def _lines(summary: Mapping[str, Any]) -> Iterable[str]:
    """Return the summary in words."""
    rejected = sum(summary["rejected"].values())
    yield (
        f"{summary['predicted']:,} molecules predicted by {summary['model']},"
        f" {summary['not_predicted']:,} with symbols unknown to it, {rejected:,} rows rejected;"
        f" {summary['ood']:,} unlike its training set (ood)"
    )
    for name, told in summary["held_out"].items():
        if told and told.get("mae") is not None:
            r2 = f", R2 {told['r2']:.2f}" if told.get("r2") is not None else ""
            yield f"{name}: mean error {told['mae']:.3g}{r2} on {held_out(told)}"
        elif told and told.get("accuracy") is not None:
            area = f", ROC AUC {told['auc']:.2f}" if told.get("auc") is not None else ""
            largest = f" ({told['largest']:.0%} are of the largest class)"
            yield f"{name}: right on {told['accuracy']:.0%} of {held_out(told)}{largest}{area}"
        else:
            yield f"{name}: this model does not say how far its predictions are from the truth"
