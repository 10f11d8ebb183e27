"""Scores that a program or a service answers with, as text: numbers, CSV, or JSON.

    0.5          SMILES,score          {"version": 1, "payload": {"predictions": [0.5, null]}}
    nan          CCO,0.5

The JSON is that of REINVENT 4's external process, https://github.com/MolecularAI/REINVENT4, or a
plain list.
"""

import csv
import json
from collections.abc import Sequence

from molvae.errors import UsageError
from molvae.targets import NUMBER

NONE = {"", "nan", "na", "n/a", "none", "null", "-", "inf", "+inf", "-inf", "infinity", "-infinity"}
SMILES_COLUMNS = ("smiles", "canonical_smiles", "molecule", "mol")
SHOWN = 200  # characters of an answer that cannot be read


def read_answer(text: str, smiles: Sequence[str], *, column: str = "") -> list[float | None]:
    """Return the scores of N molecules, None for those that have none.

    A table with a column of SMILES may leave out molecules and have its own order.

    Args:
        text: the answer.
        smiles: the molecules that were asked for.
        column: of a table, or the name of a list in JSON; "" where there is only one.

    Raises:
        UsageError: for an answer that cannot be read, or of another number of molecules.
    """
    lines = text.splitlines()
    while len(lines) > len(smiles) and not lines[-1].strip():
        lines.pop()
    if text.lstrip()[:1] in ("{", "["):
        cells = _json_cells(text, column)
    elif lines and (_is_score(lines[0]) or len(lines) == len(smiles) == 1):
        cells = lines
    else:
        cells = _table_cells(lines, smiles, column)
    if len(cells) != len(smiles):
        raise UsageError(
            f"{len(cells)} scores for {len(smiles)} molecules. Write one for each, in their order,"
            f" nan where there is none. The answer begins: {text[:SHOWN]!r}"
        )
    return [_score(cell) for cell in cells]


def _json_cells(text: str, column: str) -> list[str]:
    try:
        found = json.loads(text)
        if isinstance(found, dict):
            lists = found.get("payload", found)
            found = lists[column] if column else _only(lists)
        return [json.dumps(cell) for cell in found]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UsageError(
            f"JSON that is no list of numbers ({error}): {text[:SHOWN]!r}. Expected:"
            ' {"version": 1, "payload": {"predictions": [0.5, 0.2]}}'
        ) from error


def _only(lists: dict[str, object]) -> object:
    """Return the one list of a dictionary."""
    found = {name: each for name, each in lists.items() if isinstance(each, list)}
    if len(found) != 1:
        raise LookupError(f"{len(found)} lists, {', '.join(found)}: name one with column")
    return next(iter(found.values()))


def _table_cells(lines: Sequence[str], smiles: Sequence[str], column: str) -> list[str]:
    """Return a column of a table with a header, by its SMILES where it has some."""
    separator = "\t" if lines and "\t" in lines[0] else ","
    rows = [row for row in csv.reader(lines, delimiter=separator) if row]
    header = [name.strip() for name in rows[0]] if rows else []
    molecules = [name for name in header if name.lower() in SMILES_COLUMNS]
    scores = [column] if column else [name for name in header if name not in molecules]
    if len(scores) != 1 or scores[0] not in header:
        what = f"the columns {', '.join(header)}" if header else "nothing"
        raise UsageError(
            f"the answer has {what}, where {column or 'one column of scores'} is expected: one"
            f" number on each line, or a table with SMILES and score. It begins:"
            f" {' / '.join(lines)[:SHOWN]!r}"
        )
    place = header.index(scores[0])
    cells = [row[place] if place < len(row) else "" for row in rows[1:]]
    if not molecules:
        return cells
    spelled = header.index(molecules[0])
    by_smiles = dict(zip((row[spelled] for row in rows[1:]), cells, strict=True))
    if strange := by_smiles.keys() - set(smiles):
        raise UsageError(f"the answer has {min(strange)!r:.80}, which was not asked for.")
    return [by_smiles.get(each, "nan") for each in smiles]


def _is_score(cell: str) -> bool:
    cell = cell.strip()
    return cell.lower() in NONE or NUMBER.fullmatch(cell) is not None


def _score(cell: str) -> float | None:
    cell = cell.strip().strip('"')
    if cell.lower() in NONE:
        return None
    if not _is_score(cell):
        raise UsageError(f"{cell!r:.80} is no number; write nan where there is no score.")
    return float(cell)
