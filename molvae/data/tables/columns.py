"""The columns of a table: which one holds the SMILES, which one the IDs, and which has a name."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, count, islice

from molvae.chem.molblock import is_block
from molvae.chem.smiles import DEFAULT_STANDARDIZATION, as_smiles, parse
from molvae.chem.text import is_selfies
from molvae.data.tables.cells import cell_text
from molvae.errors import InputError, Rejected, UsageError, did_you_mean

# Bare names (`bare_name`) of columns of SMILES in order of preference. Other names that contain
# "smiles" follow the second, and `LOOSE_NAMES` come last.
SMILES_NAMES = ("smiles", "canonicalsmiles", "structure", "smi")
LOOSE_NAMES = ("molecule", "mol", "compound", "ligand")  # may also hold names
OTHER_NOTATIONS = ("selfies", "smarts", "inchi")  # some texts are also valid SMILES
ID_NAMES = ("id", "name", "title", "compound id", "molecule_chembl_id", "zinc_id")
NO_MOLECULES = "\0"  # in place of the SMILES column's name, for a table that needs none
MAX_WORD = 3  # letters of a word, such as a class, that may be valid SMILES: CI, CM, NO, OCN
SEARCHED = 100  # records that are searched for molecules
SUFFIX = "_molvae"  # of a new column whose name the table has already


def choose_smiles_column(
    where: str, columns: Sequence[str], rows: Sequence[Sequence[str]], wanted: str
) -> int:
    """Return the place of the column of SMILES: the `wanted` one, else by name or content.

    Args:
        where: the file, for messages.
        columns: to choose from.
        rows: cells of the first rows, of which 100 are searched for molecules.
        wanted: the column that the user named, or "".

    Raises:
        UsageError: when no column is named `wanted`.
        InputError: when none is found or several have the same name.
    """
    if wanted:
        return find(where, columns, wanted)
    ranked = ranked_places(columns)
    names = [bare_name(columns[place]) for place in ranked]
    if names and (same := names.count(names[0])) > 1 and names[0] in SMILES_NAMES:
        raise InputError(
            f"{where}: {same} columns are named '{columns[ranked[0]]}': choose with"
            " --smiles-column or rename one."
        )
    cells = by_column(rows[:SEARCHED], len(columns))
    place = smiles_place(columns, cells)
    if place is None:
        found = (
            column
            for column, each in zip(columns, cells, strict=True)
            if any(map(is_selfies, each))
        )
        selfies = next(found, "")
        hint = f" '{selfies[:40]}' holds SELFIES: selfies.decoder(text) makes SMILES of them."
        raise InputError(
            f"{where}: no column of SMILES; name it with --smiles-column."
            f" Its columns: {', '.join(columns)}.{hint if selfies else ''}"
        )
    return place


def by_column(rows: Sequence[Sequence[str]], width: int) -> list[list[str]]:
    """Return the cells of each of the first `width` columns, where rows have them."""
    return [[cells[place] for cells in rows if place < len(cells)] for place in range(width)]


def smiles_place(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> int | None:
    """Return the place of the column of SMILES, by name or else by its cells in the first rows."""
    ranked = ranked_places(columns)
    for place in ranked:
        if bare_name(columns[place]) in SMILES_NAMES[:2] or _are_molecules(cells[place]):
            return place
    found = molecule_place(cells, columns)
    # Without a molecule in any column, the rows of the named one are rejected, with reasons.
    return ranked[0] if found is None and ranked else found


def bare_name(column: str) -> str:
    """Return a column's name in lower case, without the separators of its words.

    >>> bare_name("Canonical_Smiles")
    'canonicalsmiles'
    """
    return re.sub(r"[\W_]+", "", column).lower()


def ranked_places(columns: Sequence[str], *, loose: bool = True) -> list[int]:
    """Return the places of columns with a name for SMILES, the preferred ones first.

    Names of `LOOSE_NAMES`, which other columns may also have, count where `loose`.
    """
    known = SMILES_NAMES + LOOSE_NAMES * loose

    def rank(place: int) -> int:
        bare = bare_name(columns[place])
        if bare in SMILES_NAMES[:2]:
            return SMILES_NAMES.index(bare)
        if "smiles" in bare:
            return 2
        return 3 + known.index(bare) if bare in known else -1

    return sorted((place for place in range(len(columns)) if rank(place) >= 0), key=rank)


def molecule_place(cells: Sequence[Sequence[str]], columns: Sequence[str] = ()) -> int | None:
    """Return the place of the column in which most cells look like molecules, None without one.

    When no cell does, as in a table of water and ethanol, it is the first column in which all cells
    are valid SMILES and most differ, unlike classes. Columns of another notation are skipped.
    """
    other = {
        place
        for place, column in enumerate(columns)
        if any(word in bare_name(column) for word in OTHER_NOTATIONS)
    }
    places = [place for place in range(len(cells)) if place not in other]
    counts = {place: sum(map(looks_like_molecule, cells[place])) for place in places}
    best = max(places, key=lambda place: counts[place], default=None)
    if best is None or counts[best]:
        return best
    return next((place for place in places if _are_distinct_molecules(cells[place])), None)


def written_smiles(
    columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> tuple[int, Iterator[Sequence[object]]]:
    """Return the place of the molecules in a table to write (0 if none is found), and its rows."""
    remaining = iter(rows)
    preview = list(islice(remaining, SEARCHED))
    cells = [[cell_text(row[place]) for row in preview] for place in range(len(columns))]
    return smiles_place(columns, cells) or 0, chain(preview, remaining)


def _are_molecules(cells: Sequence[str]) -> bool:
    """Return whether at least half of the cells that are not empty are valid SMILES."""
    filled = [cell for cell in cells if cell.strip()]
    return bool(filled) and 2 * sum(map(is_molecule, filled)) >= len(filled)


def _are_distinct_molecules(cells: Sequence[str]) -> bool:
    filled = [cell for cell in cells if cell.strip()]
    return bool(filled) and 2 * len(set(filled)) > len(filled) and all(map(is_molecule, filled))


def id_place(columns: Sequence[str]) -> int | None:
    """Return the place of the column that names molecules (`ID_NAMES`), None without one."""
    lower = [column.lower() for column in columns]
    return next((lower.index(name) for name in ID_NAMES if name in lower), None)


def find(where: str, columns: Sequence[str], name: str) -> int:
    """Return the place of the column of this name, exactly or else in any case.

    Raises:
        UsageError: listing the columns, when there is none.
        InputError: when there is more than one.
    """
    if name == NO_MOLECULES:
        return 0
    lower = name.strip().lower()
    found = [place for place, column in enumerate(columns) if column == name]
    found = found or [place for place, column in enumerate(columns) if column.lower() == lower]
    if len(found) > 1:
        raise InputError(f"{where}: {len(found)} columns are named '{name}': rename one.")
    if not found:
        raise UsageError(
            f"{where}: no column '{name}'{did_you_mean(name, columns) or '.'}"
            f" Its columns: {', '.join(columns)}."
        )
    return found[0]


def names_beside(own: Iterable[str], new: Iterable[str]) -> tuple[str, ...]:
    """Return the names of new columns, with a suffix where the table has the name, in any case.

    >>> names_beside(("logP", "model", "model_molvae"), ("LogP", "MW", "model"))
    ('LogP_molvae', 'MW', 'model_molvae_2')
    """
    taken = {column.lower() for column in own}

    def free(name: str) -> str:
        numbered = (f"{name}{SUFFIX}_{number}" for number in count(2))
        found = next(n for n in chain((name, name + SUFFIX), numbered) if n.lower() not in taken)
        taken.add(found.lower())
        return found

    return tuple(map(free, new))


def last_written(columns: Iterable[str], name: str) -> str:
    """Return the column of this name that molvae wrote last: see `names_beside`.

    >>> last_written(("z1", "z1_molvae", "z1_molvae_2"), "z1")
    'z1_molvae_2'
    """
    spelled = re.compile(rf"{re.escape(name + SUFFIX)}(?:_(\d+))?", re.IGNORECASE)
    found = [match for match in map(spelled.fullmatch, columns) if match]
    return max(found, key=lambda match: int(match[1] or 1))[0] if found else name


def is_molecule(cell: str) -> bool:
    """Return whether a cell is valid SMILES or CXSMILES."""
    if is_block(cell) or is_selfies(cell):
        return False
    try:
        parse(as_smiles(cell, DEFAULT_STANDARDIZATION.max_length))
    except Rejected:
        return False
    return True


def looks_like_molecule(cell: str) -> bool:
    """Return whether a cell is valid SMILES and no letter or short word.

    >>> [looks_like_molecule(cell) for cell in ("CCOC", "C=O", "CI", "NO", "lidocaine")]
    [True, True, False, False, False]
    """
    text = cell.strip()
    is_word = len(text) <= MAX_WORD and text.isalpha()
    return not is_word and is_molecule(text)
