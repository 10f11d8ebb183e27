"""SD files: mol blocks with data fields, each record ends with `$$$$`.

Reading only splits the text. The mol block takes the place of the SMILES, and `standardize` and
`canonicalize` parse it in a worker process, where a crash of RDKit costs one row.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial

from rdkit import Chem, rdBase
from rdkit.Chem import rdCoordGen, rdDepictor

from molvae.chem.molblock import END, is_block
from molvae.chem.smiles import as_smiles, parse
from molvae.data.tables.cells import cell_text
from molvae.data.tables.columns import find, id_place
from molvae.data.tables.files import OpenFile
from molvae.data.tables.lines import text_lines, to_bytes
from molvae.data.tables.records import Fields, Table, preview_columns, table_rows
from molvae.errors import Rejected

BLOCK = "structure"  # name of the column that holds the mol block
NO_STRUCTURE = f"\n     RDKit          2D\n\n{'  0' * 10}999 V2000\n{END}\n"
MAX_DRAWN = 500  # heavy atoms; `DataConfig` allows no larger molecules
MAX_RECORD = 2**20  # characters; without `$$$$` a file must not fill the memory

_SEPARATOR = "$$$$"
_STEREO = re.compile(r"[@/\\]")
_FIELD = re.compile(r">[^<]*<(.+)>")
_FIELD_NUMBER = re.compile(r">[^<]*\b(DT\d+)\b")
_CUT_OFF = "truncated record"


def read(file: OpenFile, smiles_column: str) -> Table:
    """Read an SD file; columns are the mol block, the title as ID, and the data fields.

    Data fields are those of the first 1,000 records. The line of a row is the one on which its
    record begins.

    Args:
        file: the open file.
        smiles_column: a data field to take SMILES from; "" for the structure itself.
    """
    records = _records(text_lines(file))
    expected = "an SD file has mol blocks that end in M  END, and different fields"
    columns, _, placed, late = preview_columns(file, records, expected=expected)
    smiles = find(file.where, columns, smiles_column or BLOCK)
    return Table(file, columns, smiles, table_rows(file, columns, smiles, placed), late=late)


def _records(text: Iterator[str]) -> Iterator[Fields]:
    record: list[str] = []
    begin, size = 1, 0
    number = 0
    names: Iterable[str] = ()  # of the fields of the record before
    for number, line in enumerate(text, 1):
        if line.startswith(_SEPARATOR):
            whole = _record(begin, record, size, is_whole=True)
            yield whole
            names = whole.cells
            record, begin, size = [], number + 1, 0
        else:
            size += len(line)
            if size < MAX_RECORD:
                record.append(line.rstrip("\r\n"))
    if any(line.strip() for line in record):
        last = _record(begin, record, size, is_whole=False)
        lacks = not last.fault and any(name not in last.cells for name in names)
        yield last._replace(fault=_CUT_OFF) if lacks else last


def _record(begin: int, lines: list[str], size: int, *, is_whole: bool) -> Fields:
    """Split a record of `size` characters into its cells; `$$$$` followed where it `is_whole`."""
    if size >= MAX_RECORD:
        return Fields(begin, {}, "record too long")
    end = next((place for place, line in enumerate(lines, 1) if line.startswith(END)), 0)
    if not end:
        return Fields(begin, {}, "no M  END" if is_whole else _CUT_OFF)
    fields, fault = _fields(lines[end:])
    if fields and not is_whole and lines[-1].strip():  # a blank line ends a field
        fault = _CUT_OFF
    cells = {BLOCK: "\n".join(lines[:end])}
    if "id" not in (name.lower() for name in fields):
        cells["ID"] = lines[0].strip()
    for name, value in fields.items():
        cells[f"{name} (field)" if name == BLOCK else name] = value
    return Fields(begin, cells, fault)


def _fields(lines: list[str]) -> tuple[dict[str, str], str]:
    """Return the data fields by name, and the fault of the lines after the mol block or "".

    A field without a name has its number as name, `DT12`, or its place, `field_3`. A value ends at
    a blank line (BIOVIA, CTfile Formats, "SDfiles"), but goes on if no field follows.
    """
    fields: dict[str, list[str]] = {}
    fault = ""
    value: list[str] = []
    is_open = goes_on = False
    for line in lines:
        if not line.strip():
            is_open = False
        elif is_open and not (goes_on and line.startswith((END, ">"))):
            value.append(line)
        elif line.startswith(END):
            fault = "more than one record"
        elif line.startswith(">"):
            name = _field_name(line, len(fields) + 1)
            if name in fields:
                fault = f"a field stands twice: {name[:40]}"
            value = fields[name] = []
            is_open, goes_on = True, False
        elif fields:
            value += ["", line]
            is_open = goes_on = True
    return {name: "\n".join(value) for name, value in fields.items()}, fault


def _field_name(line: str, place: int) -> str:
    named = _FIELD.match(line) or _FIELD_NUMBER.match(line)
    return named[1] if named else f"field_{place}"


def field_name(column: str) -> str:
    """Return a column's name as the name of a data field, without brackets and line ends."""
    return re.sub(r"[\s<>]+", " ", column).strip()


def write(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, smiles: int
) -> Iterator[bytes]:
    """Yield a record for each row: a 2D depiction, the ID as title, every column as a data field.

    A cell that is no molecule becomes a record without atoms, so that no row is lost. A mol block
    in the column `BLOCK` is drawn, whatever `smiles` is, and is no data field.

    Args:
        columns: different names of fields (`field_name`).
        rows: cells as long as `columns`.
        smiles: the place of the column of molecules.
    """
    id_at = id_place(columns)
    block_at = columns.index(BLOCK) if BLOCK in columns else smiles
    for row in rows:
        cells = [cell_text(value) for value in row]
        title = "" if id_at is None else _harmless(" ".join(cells[id_at].split()))
        drawn = block_at if is_block(cells[block_at]) else smiles
        fields = "".join(
            f">  <{name}>\n{_value(cell)}\n"
            for place, (name, cell) in enumerate(zip(columns, cells, strict=True))
            if not (place == drawn and is_block(cell))  # it is the record already
        )
        yield to_bytes(f"{title}{draw(cells[drawn])}{fields}{_SEPARATOR}\n")


def holds(cell: str) -> bool:
    """Return whether a data field can hold a cell: it has no blank lines."""
    return is_block(cell) or _value(cell) == (f"{cell}\n" if cell else "")


def draw(smiles: str) -> str:
    """Return the 2D depiction of a molecule, as a V2000 mol block with an empty title.

    It ends with a newline. A mol block gets new coordinates. Text that is no molecule, or one that
    cannot be drawn, becomes `NO_STRUCTURE`, so that a table keeps its row.
    """
    with rdBase.BlockLogs(), suppress(Rejected, RuntimeError, ValueError):
        mol = parse(as_smiles(smiles))
        if mol.GetNumHeavyAtoms() <= MAX_DRAWN:
            return _block(mol)
    return NO_STRUCTURE


def _block(mol: Chem.Mol) -> str:
    """Return the first depiction that keeps the stereo of a molecule, else the first one.

    In 2D, a bridged ring can hide a stereocenter: one depictor loses the stereo of one in five
    hundred molecules, both together of hardly any.
    """
    spelling = Chem.MolToSmiles(mol)
    _leave_open(mol)
    blocks = []
    # Ring templates draw bridges apart; without them artemisinin loses a center.
    for place in (partial(rdDepictor.Compute2DCoords, useRingTemplates=True), rdCoordGen.AddCoords):
        place(mol)
        blocks.append(Chem.MolToMolBlock(mol))
        if not _STEREO.search(spelling):
            break
        if Chem.MolToSmiles(Chem.MolFromMolBlock(blocks[-1])) == spelling:
            return blocks[-1]
    return blocks[0]


def _leave_open(mol: Chem.Mol) -> None:
    """Mark the double bonds of unknown geometry, which RDKit does not do beside a known one."""
    for place in Chem.FindPotentialStereo(mol):
        double = place.type == Chem.StereoType.Bond_Double
        if double and place.specified == Chem.StereoSpecified.Unspecified:
            mol.GetBondWithIdx(place.centeredOn).SetStereo(Chem.BondStereo.STEREOANY)


def _value(cell: str) -> str:
    """Return a cell as the lines of a value, which a blank line or `$$$$` would end."""
    lines = re.split(r"[\r\n]+", cell)
    return "".join(f"{_harmless(line)}\n" for line in lines if line.strip())


def _harmless(line: str) -> str:
    return f" {line}" if line.startswith(_SEPARATOR) else line
