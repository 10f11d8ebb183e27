"""An account of all rows: each is kept, merged or rejected."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple


class Reject(NamedTuple):
    """A row that is rejected.

    Attributes:
        file: base name.
        row: physical line, from 1.
        field: the column at fault, "" for the whole row.
        smiles: the SMILES cell of the row; canonical for a rare symbol, "" for a mol block.
        reason: why, with the text at fault.
    """

    file: str
    row: int
    field: str
    smiles: str
    reason: str

    @property
    def kind(self) -> str:
        """The reason without the text at fault."""
        return self.reason.partition(":")[0]

    def __str__(self) -> str:
        """Return the line that reports it: `file:row: reason`."""
        return f"{self.file}:{self.row}: {self.reason}"


class Disagreement(NamedTuple):
    """A label of a row that differs from an earlier row of the same molecule.

    Attributes:
        label: its name.
        file: base name.
        row: physical line, from 1.
        value: the label in this row.
        first_file: base name of the file with the molecule's first row that has the label.
        first_row: that row.
        first_value: the label in that row.
        kept: the label of the molecule: a mean, the most frequent class, or "" when classes tie.
        reason: why they may differ, "" where nothing suggests itself.
    """

    label: str
    file: str
    row: int
    value: str
    first_file: str
    first_row: int
    first_value: str
    kept: str
    reason: str

    def __str__(self) -> str:
        """Return the line that reports it: `file:row: what`."""
        return (
            f"{self.file}:{self.row}: {self.label} {self.value}, but {self.first_value} for the"
            f" same molecule since {self.first_file}:{self.first_row};"
            f" {f'{self.kept} is kept' if self.kept else 'a tie, so none is kept'}"
            f"{f' ({self.reason}?)' if self.reason else ''}"
        )


@dataclass(frozen=True)
class LabelCount:
    """Number of molecules with a label, without it, and of each class; no classes for numbers."""

    molecules: int
    missing: int
    classes: Mapping[str, int] = field(default_factory=dict)

    def line(self, name: str) -> str:
        """Return the classes or the number of values, as a line of text."""
        if self.classes:
            classes = ", ".join(f"{word} {count:,}" for word, count in self.classes.items())
            line = f"label {name}: classes {classes}"
        else:
            line = f"label {name}: numbers {self.molecules:,}"
        return f"{line}; without {self.missing:,}" if self.missing else line


@dataclass(frozen=True)
class Tally:
    """Counts over all rows: rows = kept + merged + rejected, exactly.

    Attributes:
        rows: all rows.
        kept: distinct molecules in the dataset.
        merged: rows with a molecule of an earlier row.
        rejected: rejected rows, by reason.
        splits: molecules in each split.
        conflicts: labels that disagree with an earlier row of the same molecule.
        reasons: why they may do so, with their number.
        left_out: rare symbols, with the number of their molecules.
        min_count: number of molecules below which a symbol is rare.
        labels: number of molecules with each label.
        notes: columns that are left out, and hints.
    """

    rows: int
    kept: int
    merged: int
    rejected: Mapping[str, int] = field(default_factory=dict)
    splits: Mapping[str, int] = field(default_factory=dict)
    conflicts: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    min_count: int = 1
    labels: Mapping[str, LabelCount] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a JSON header."""
        return {**asdict(self), "notes": list(self.notes)}

    def lines(self) -> list[str]:
        """Return the tally as lines of text."""
        rejected = sum(self.rejected.values())
        lines = [
            f"{self.rows:,} rows: {self.kept:,} molecules kept, {self.merged:,} merged"
            f" with an equal one, {rejected:,} rejected",
            *(f"  {reason}: {count:,}" for reason, count in self.rejected.items()),
            "split: " + ", ".join(f"{name} {count:,}" for name, count in self.splits.items()),
        ]
        lines += [count.line(name) for name, count in self.labels.items()]
        if self.conflicts:
            lines.append(
                f"{self.conflicts:,} labels disagreed among equal molecules: numbers are averaged,"
                " of classes the most frequent one is kept"
            )
            lines += [f"  {count:,} perhaps since {why}" for why, count in self.reasons.items()]
        if self.left_out:
            symbols = ", ".join(f"{symbol} {count}" for symbol, count in self.left_out.items())
            lines.append(f"symbols in fewer than {self.min_count} molecules: {symbols}")
        return [*lines, *self.notes]
