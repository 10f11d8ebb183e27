"""Parquet files, a batch of rows at a time; needs pyarrow, the extra `parquet`."""

import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import chain, islice
from typing import Any

from molvae.data.tables.cells import cell_text, plain
from molvae.data.tables.columns import choose_smiles_column
from molvae.data.tables.files import MAX_FREE, MAX_RATIO, OpenFile, seekable
from molvae.data.tables.records import PREVIEW, Record, Table, table_rows
from molvae.errors import InputError, MolvaeError, UsageError

CELLS = 50_000  # held as Python values at once while reading
_CONTROL = re.compile(r"[\0-\x08\x0b\x0c\x0e-\x1f]")  # no text has these
GROUP = 16_384  # rows of a row group that is written; the first one settles the types


def require() -> Any:
    """Return the package pyarrow.

    Raises:
        UsageError: naming the command that installs it.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise UsageError("Parquet needs pyarrow: pip install 'molvae[parquet]'") from error
    return pyarrow


def read(file: OpenFile, smiles_column: str) -> Table:
    """Read a Parquet file; the line of a row is its number, from 1. Nulls and NaN are empty cells.

    Bytes are text where they can be, and otherwise hexadecimal digits, such as `0xff00`. Lists and
    structures are JSON.

    Raises:
        UsageError: when pyarrow is missing.
        InputError: when it is no Parquet file, or damaged.
    """
    if not file.head.startswith(b"PAR1"):
        raise InputError(f"{file.where}: not a Parquet file.")
    arrow = require()
    with ExitStack() as unusable, _damage(file.where):
        stored = unusable.enter_context(seekable(file))
        schema = arrow.parquet.read_schema(stored)
        # As a dictionary, a text that many rows repeat is in memory once.
        texts = [field.name for field in schema if _is_text(field.type)]
        content = arrow.parquet.ParquetFile(
            stored,
            read_dictionary=texts,
            buffer_size=2**20,  # a column's chunk is read piece by piece, not at once
            page_checksum_verification=True,
        )
        _check_size(file.where, content.metadata, stored.seek(0, io.SEEK_END))
        unusable.pop_all()
    columns = tuple(content.schema_arrow.names)
    records = _records(file.where, content)
    preview = list(islice(records, PREVIEW))
    if not preview:
        raise InputError(f"{file.where}: no rows.")
    cells = [record.cells for record in preview]
    smiles = choose_smiles_column(file.where, columns, cells, smiles_column)
    rows = table_rows(file, columns, smiles, chain(preview, records))
    return Table(file, columns, smiles, rows, total=content.metadata.num_rows, typed=True)


def _check_size(where: str, metadata: Any, stored: int) -> None:
    groups = range(metadata.num_row_groups)
    size = sum(metadata.row_group(number).total_byte_size for number in groups)
    if size > max(MAX_FREE, MAX_RATIO * stored):
        raise InputError(
            f"{where}: becomes over {MAX_RATIO} times as large when it is unpacked, which no table"
            " of molecules does."
        )


@contextmanager
def _damage(where: str) -> Iterator[None]:
    """Turn what pyarrow raises into one line with the cause."""
    try:
        yield
    except (require().ArrowException, OSError) as error:
        cause = " ".join(str(error).split())[:200]
        raise InputError(f"{where}: damaged Parquet: {cause}; get it again.") from error


def _records(where: str, content: Any) -> Iterator[Record]:
    names = content.schema_arrow.names
    literal = [at for at, kind in enumerate(content.schema_arrow.types) if _is_literal(kind)]
    size = max(1, CELLS // max(1, len(names)))
    batches = content.iter_batches(batch_size=size, use_threads=False)
    number = 0
    try:
        while True:
            with _damage(where):
                batch = next(batches, None)
                columns = [] if batch is None else [_texts(column) for column in batch.columns]
            if batch is None:
                return
            for cells in zip(*columns, strict=True):
                number += 1
                yield Record(number, cells, literal=literal)
    finally:
        content.close(force=True)  # the file as well, which it was given open


def _texts(column: Any) -> list[str]:
    """Return the values of one column as the text of cells."""
    arrow = require()
    if arrow.types.is_dictionary(column.type):
        texts = _texts(column.dictionary)
        return ["" if place is None else texts[place] for place in column.indices.to_pylist()]
    missing = (None, "nan") if arrow.types.is_floating(column.type) else (None,)
    if not _is_bytes(column.type):
        with suppress(arrow.ArrowInvalid, arrow.ArrowNotImplementedError, UnicodeDecodeError):
            texts = column.cast(arrow.string()).to_pylist()
            return ["" if text in missing else text for text in texts]
    return list(map(_value_text, column))  # lists and the like, and text that is damaged


def _is_literal(kind: Any) -> bool:
    types = require().types
    return any(is_kind(kind) for is_kind in (types.is_boolean, types.is_integer, types.is_floating))


def _is_text(kind: Any) -> bool:
    types = require().types
    return bool(types.is_string(kind) or types.is_large_string(kind))


def _is_bytes(kind: Any) -> bool:
    types = require().types
    checks = (types.is_binary, types.is_large_binary, types.is_fixed_size_binary)
    return any(check(kind) for check in (*checks, types.is_binary_view))


def _value_text(value: Any) -> str:
    try:
        return _text(value.as_py())
    except UnicodeDecodeError:
        return "\udcff"  # a byte that is not UTF-8, which costs the row


def _text(value: object) -> str:
    """Return a value as the text of a cell: JSON of a list, hexadecimal digits of binary data."""
    if isinstance(value, bytes):
        with suppress(UnicodeDecodeError):
            text = value.decode()
            if not _CONTROL.search(text):
                return text
        return f"0x{value.hex()}"
    if isinstance(value, list | dict):
        return json.dumps(value, default=_text, ensure_ascii=False)
    return "" if value is None else str(value)


class _Sink(io.RawIOBase):
    """Keeps the bytes that are written until they are taken, and knows their place in the file."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._place = 0

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self._pieces.append(bytes(content))
        self._place += len(content)
        return len(content)

    def tell(self) -> int:
        return self._place

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


def write(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[bytes]:
    """Write a row group for every 16,384 rows; the first of them settle each column's type.

    Truth values, whole numbers and other numbers keep their type. A column with anything else, or
    with nothing, is one of text.

    Raises:
        UsageError: when pyarrow is missing.
        MolvaeError: when a later value does not fit the type of its column.
    """
    arrow = require()
    remaining = iter(rows)
    group = _next_group(columns, remaining)
    schema = arrow.schema([(name, _type(group[name])) for name in columns])
    sink = _Sink()
    with arrow.parquet.ParquetWriter(sink, schema, write_page_checksum=True) as writer:
        while any(group.values()):
            arrays = [_array(field, group[field.name]) for field in schema]
            writer.write_table(arrow.Table.from_arrays(arrays, schema=schema))
            yield sink.take()
            group = _next_group(columns, remaining)
    yield sink.take()


def _next_group(columns: Sequence[str], rows: Iterator[Sequence[object]]) -> dict[str, list[Any]]:
    """Return the values of the next rows by column."""
    group = [[plain(value) for value in row] for row in islice(rows, GROUP)]
    return {name: [row[place] for row in group] for place, name in enumerate(columns)}


def _type(values: list[Any]) -> Any:
    arrow = require()
    try:
        found = arrow.array(values).type
    except (arrow.ArrowException, OverflowError):  # values of several types
        return arrow.string()
    return found if found in (arrow.bool_(), arrow.int64(), arrow.float64()) else arrow.string()


def _array(field: Any, values: list[Any]) -> Any:
    arrow = require()
    if field.type == arrow.string():
        values = [None if value is None else cell_text(value) for value in values]
    try:
        found = arrow.array(values)  # of the type of the field, pyarrow would cut 1.5 down to 1
        is_float = field.type == arrow.float64()
        if found.type not in (field.type, arrow.null(), arrow.int64() if is_float else field.type):
            raise arrow.ArrowTypeError(f"{found.type} in {field.type}")
        return found.cast(field.type)
    except (arrow.ArrowException, OverflowError) as error:
        raise MolvaeError(
            f"column '{field.name}': {error}. A Parquet column holds values of one type; write .csv"
            " or .jsonl."
        ) from error
