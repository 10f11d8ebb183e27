"""What became of every row: kept, merged or rejected, and nothing else."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple


class Reject(NamedTuple):
    """One row that was not used.

    Attributes:
        file: base name.
        row: physical line, from 1.
        field: the column at fault, "" for the whole row.
        smiles: the SMILES as it stands in the row; for a rare symbol, canonical.
        reason: why, with what was seen.
    """

    file: str
    row: int
    field: str
    smiles: str
    reason: str

    def __str__(self) -> str:
        """As reported: `file:row: reason`."""
        return f"{self.file}:{self.row}: {self.reason}"


@dataclass(frozen=True)
class Tally:
    """Counts over all rows: rows = kept + merged + rejected, exactly.

    Attributes:
        rows: records read.
        kept: distinct molecules in the dataset.
        merged: rows that were a molecule already in the dataset.
        rejected: rows left out, by reason.
        splits: molecules in each split.
        conflicts: labels that disagreed with an earlier row of the same molecule.
        left_out: symbols that too few molecules hold, with the number of those.
        min_count: the molecules that a symbol needed.
        notes: anything else that a reader of the dataset should know.
    """

    rows: int
    kept: int
    merged: int
    rejected: Mapping[str, int] = field(default_factory=dict)
    splits: Mapping[str, int] = field(default_factory=dict)
    conflicts: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    min_count: int = 1
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
        if self.conflicts:
            lines.append(f"{self.conflicts:,} labels disagreed among equal molecules: averaged")
        if self.left_out:
            symbols = ", ".join(f"{symbol} {count}" for symbol, count in self.left_out.items())
            lines.append(f"symbols in fewer than {self.min_count} molecules: {symbols}")
        return [*lines, *self.notes]
