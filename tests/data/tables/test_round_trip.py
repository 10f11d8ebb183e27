"""Tables of every format, read and written again: every own cell comes back."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from molvae.data.tables import sdf
from molvae.data.tables.columns import names_beside
from molvae.data.tables.tables import names_in, open_table, write_table
from tests.tables import PARQUET

KINDS = ("csv", "tsv", "sdf", "parquet", "json", "jsonl")  # of several columns
NEW = ("LogP", "model", "z1", "ood")
SMILES = ("CCO", "c1ccccc1", "CC(=O)Oc1ccccc1C(=O)O", "C[C@H](N)C(=O)O")
# Unnamed, doubled, named as new columns and as formats name theirs, of several scripts, over-long.
HEADINGS = st.sampled_from(
    [
        *("", "pIC50", "pIC50", "logP", "LOGP", "Model", "z1_molvae", "column_3", "ID", "name"),
        *("µ M", "溶解度", "\N{TEST TUBE}", "e\u0301", 'a,"b"', "a\tb", "<x> y"),
        *("x" * 3000, "field_2", "=1+1", "NA", "__index_level_0__"),
    ]
)
CELLS = st.one_of(
    st.sampled_from(["", "5.10", "007", "1e400", "NA", "nan", "true", "1,5", "=A1", "$$$$"]),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12),
    st.text("ab \n\t\r\"',;>|", max_size=8),
    st.just("y" * 5000),
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    """Return the columns and rows of a table, of which the first one has the molecules."""
    own = draw(st.lists(HEADINGS, max_size=5))
    return ["SMILES", *own], [[SMILES[n], *map(draw, [CELLS] * len(own))] for n in range(2)]


def written(
    path: Path, columns: list[str], rows: list[list[str]]
) -> tuple[list[str], list[list[str]]]:
    """Write a table; return the columns and rows that are read again, in the order as written."""
    write_table(path, columns, rows, smiles=columns.index("SMILES"))
    table = open_table(path, smiles_column="SMILES")
    if path.suffix == ".sdf":  # which also has its mol block, and a title as ID
        places = [table.columns.index(name) for name in names_in("sdf", columns)]
    else:
        places = list(range(len(table.columns)))
    found = [[row.cells[place] for place in places] for row in table.rows]
    return [table.columns[place] for place in places], found


@pytest.mark.parametrize("source", [kind if kind != "parquet" else PARQUET for kind in KINDS])
@settings(max_examples=10)
@given(table=tables(), target=st.sampled_from(KINDS))
def test_every_own_cell_comes_back_beside_new_ones(
    source: str, target: str, table: tuple[list[str], list[list[str]]]
) -> None:
    if target == "parquet":
        pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    columns, rows = table
    kept = [
        [cell if "sdf" not in (source, target) or sdf.holds(cell) else "" for cell in row]
        for row in rows
    ]
    with TemporaryDirectory() as folder:
        own, cells = written(Path(folder) / f"in.{source}", columns, kept)
        assert own == list(names_in(source, columns))
        assert cells == kept
        more = [*own, *names_beside(own, NEW)]
        names, again = written(
            Path(folder) / f"out.{target}", more, [[*row, *map(str, range(4))] for row in cells]
        )
    assert names == list(names_in(target, more))
    assert [row[: len(own)] for row in again] == kept
    assert [row[len(own) :] for row in again] == [["0", "1", "2", "3"]] * len(rows)


@pytest.mark.parametrize("kind", ["smi", "smi.gz"])
def test_smiles_and_id_come_back_from_a_smiles_file(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{kind}"
    rows = list(zip(SMILES, ("a", "b c", "d-1", "\N{TEST TUBE}"), strict=True))
    write_table(path, ("SMILES", "ID"), rows)
    assert [row.cells for row in open_table(path).rows] == rows
