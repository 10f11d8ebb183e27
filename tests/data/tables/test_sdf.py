import gzip
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import pytest
from rdkit import Chem
from rdkit.Chem import rdDepictor

from molvae.chem.molblock import smiles_from_block
from molvae.chem.smiles import canonicalize
from molvae.data.tables import sdf
from molvae.data.tables.records import find_column
from molvae.data.tables.sdf import draw
from molvae.data.tables.tables import open_table, write_table
from molvae.errors import InputError, UsageError
from tests.drugs import DRUGS
from tests.tables import ASPIRIN, column, rows, write

ZWITTERION = "[NH3+][C@@H](C)C(=O)[O-]"
LABELLED = "[13CH3]C(=O)/C=C/[N+](C)(C)C.[Br-]"


def record(smiles: str, *, title: str = "", fields: str = "", end: str = "$$$$\n") -> str:
    return f"{title}{draw(smiles)}{fields}{end}"


def smiles_of(path: Path) -> list[str]:
    return [canonicalize(smiles_from_block(row.smiles)) for row in rows(path)]


THREE = [ASPIRIN, ZWITTERION, LABELLED]


@pytest.mark.parametrize("v3000", [False, True])
@pytest.mark.parametrize("name", ["a.sdf", "a.sdf.gz"])
def test_what_rdkit_writes_is_read_as_the_same_molecules(
    tmp_path: Path, name: str, v3000: bool
) -> None:
    plain = tmp_path / "plain.sdf"
    writer = Chem.SDWriter(str(plain))
    writer.SetForceV3000(v3000)
    for number, smiles in enumerate(THREE):
        mol = Chem.MolFromMolBlock(draw(smiles))
        mol.SetProp("_Name", f"m{number}")
        mol.SetDoubleProp("pIC50", 5.5 + number)
        writer.write(mol)
    writer.close()
    content = plain.read_bytes()
    path = write(tmp_path / name, gzip.compress(content) if name.endswith(".gz") else content)
    assert smiles_of(path) == [canonicalize(smiles) for smiles in THREE]
    assert [row.id for row in rows(path)] == ["m0", "m1", "m2"]
    assert column(path, "pIC50") == ["5.5", "6.5", "7.5"]


def test_what_is_written_rdkit_reads_with_coordinates_and_fields(tmp_path: Path) -> None:
    path = tmp_path / "a.sdf"
    table = [(f"m{i}", smiles, i / 2, None) for i, smiles in enumerate(THREE)]
    write_table(path, ("ID", "SMILES", "LogP", "note"), table)
    found = list(Chem.SDMolSupplier(str(path)))
    assert [Chem.MolToSmiles(mol) for mol in found] == [canonicalize(smiles) for smiles in THREE]
    assert [mol.GetProp("_Name") for mol in found] == ["m0", "m1", "m2"]
    assert found[1].GetPropsAsDict() == {"ID": "m1", "SMILES": ZWITTERION, "LogP": 0.5, "note": ""}
    assert all(mol.GetConformer().GetPositions().any() for mol in found)
    assert not any(mol.GetConformer().Is3D() for mol in found)


def test_the_line_of_a_row_is_where_its_record_begins(tmp_path: Path) -> None:
    text = "".join(record(smiles) for smiles in THREE)
    path = write(tmp_path / "a.sdf", text.replace("\n", "\r\n"))
    starts = [1]
    for number, line in enumerate(text.splitlines(), 1):
        starts += [number + 1] if line == "$$$$" else []
    assert [row.line for row in rows(path)] == starts[:3]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_line_ends_and_encodings_change_nothing(tmp_path: Path, end: str, encoding: str) -> None:
    text = "".join(record(smiles, title="Größe", fields="> <é>\nµ\n\n") for smiles in THREE)
    path = write(tmp_path / "a.sdf", text.replace("\n", end).encode(encoding))
    assert smiles_of(path) == [canonicalize(smiles) for smiles in THREE]
    assert [row.id for row in rows(path)] == ["Größe"] * 3
    assert column(path, "é") == ["µ"] * 3


def test_fields_are_columns_wherever_they_first_show(tmp_path: Path) -> None:
    text = record(ASPIRIN, fields=">  <logS>  (1)\n-2.1\n\n") + record(
        ZWITTERION, fields="> <note>\ntwo\nlines\n\n>  25 <logS>\n\n\n> DT12\nnameless\n\n"
    )
    path = write(tmp_path / "a.sdf", text)
    table = open_table(path)
    assert table.columns == ("structure", "ID", "logS", "note", "DT12")
    assert table.smiles_column == "structure"
    assert find_column(table, "LOGS") == 2
    assert column(path, "logS") == ["-2.1", ""]
    assert column(path, "note") == ["", "two\nlines"]
    assert column(path, "DT12") == ["", "nameless"]


@pytest.mark.parametrize(
    ("fields", "cells"),
    [
        (">  <>\n1\n\n>  <>\n2\n\n", {"field_1": "1", "field_2": "2"}),
        ("> DT12\n1\n\n>  25  (MX-1) DT13\n2\n\n", {"DT12": "1", "DT13": "2"}),
        ("> 25 <a>\n1\n\n>\t<b> (MX-1)\n2\n\n", {"a": "1", "b": "2"}),
        ("> <a>\n>10\n\n> <b>\n> 5\n\n", {"a": ">10", "b": "> 5"}),
        ("> <a>\n\n> <b>\n2\n", {"a": "", "b": "2"}),
        ("> <a>\n1\n\n2\n\n> <b>\n3\n\n", {"a": "1\n\n2", "b": "3"}),  # a blank line within
        ("> <a>\n1\n\n2\n> <b>\n3\n\n", {"a": "1\n\n2", "b": "3"}),
        ("text\n> <a>\n1\n  \n> <b>\n3\n\n", {"a": "1", "b": "3"}),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_fields_are_read_however_they_are_headed(
    tmp_path: Path, fields: str, cells: dict[str, str], end: str
) -> None:
    path = write(tmp_path / "a.sdf", record(ASPIRIN, fields=fields).replace("\n", end))
    assert {name: column(path, name)[0] for name in cells} == cells
    assert len(open_table(path).columns) == len(cells) + 2
    assert [row.fault for row in rows(path)] == [""]


def test_a_field_can_hold_the_smiles_instead(tmp_path: Path) -> None:
    path = write(tmp_path / "a.sdf", record("C", fields=f"> <Parent>\n{ASPIRIN}\n\n"))
    assert [row.smiles for row in rows(path, smiles_column="parent")] == [ASPIRIN]
    with pytest.raises(UsageError, match="no column 'parnt'; did you mean 'Parent'"):
        open_table(path, smiles_column="parnt")


BROKEN = record(ASPIRIN, title="whole") + "{}" + record(ZWITTERION, title="after")


@pytest.mark.parametrize(
    ("damaged", "fault"),
    [
        (record(ASPIRIN).replace("M  END\n", ""), "no M  END"),
        ("\n\n\n$$$$\n", "no M  END"),
        (record(ASPIRIN, end="") + record(ASPIRIN), "more than one record"),
        (record(ASPIRIN, fields="> <x>\n1\n\n> <x>\n2\n\n"), "a field stands twice: x"),
        (record(ASPIRIN, fields="> <x>\n" + ("1" * 999 + "\n") * 1100 + "\n"), "record too long"),
    ],
    ids=["no end", "nothing", "no separator", "field twice", "endless"],
)
def test_a_damaged_record_costs_that_record(tmp_path: Path, damaged: str, fault: str) -> None:
    path = write(tmp_path / "a.sdf", BROKEN.format(damaged))
    assert [row.fault for row in rows(path)] == ["", fault, ""]
    assert [row.id for row in rows(path) if not row.fault] == ["whole", "after"]


@pytest.mark.parametrize(
    ("last", "fault"),
    [
        (record(ASPIRIN, end="").rstrip("\n"), ""),  # a .mol file has no separator
        (record(ASPIRIN, end="\n\n"), ""),
        (record(ASPIRIN, fields="> <pIC50>\n6.\n", end=""), "truncated record"),
        (record(ASPIRIN, fields="> <pIC50>\n6.\n\n", end=""), "truncated record"),  # lacks x
        (record(ASPIRIN, fields="> <x>\n6.\n\n", end=""), ""),
        (record(ASPIRIN, end="")[:300], "truncated record"),
    ],
)
def test_a_last_record_without_separator_may_be_cut_off(
    tmp_path: Path, last: str, fault: str
) -> None:
    before = record("C", fields="> <x>\n5\n\n") if "> <" in last else record("C")
    assert [row.fault for row in rows(write(tmp_path / "a.sdf", before + last))] == ["", fault]


def test_a_file_that_holds_no_block_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no M  END; an SD file has mol blocks|truncated record"):
        open_table(write(tmp_path / "a.sdf", "smiles,x\nCCO,1\n"))
    with pytest.raises(InputError, match="no rows"):
        open_table(write(tmp_path / "b.sdf", "\n\n"))


def test_a_file_that_never_ends_a_record_does_not_fill_the_memory(tmp_path: Path) -> None:
    endless = record(ASPIRIN).encode() + (b"C" * 999 + b"\n") * 15_000
    path = write(tmp_path / "a.sdf.gz", gzip.compress(endless, compresslevel=1))
    tracemalloc.start()
    assert [row.fault for row in rows(path)] == ["", "record too long"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * 2**20


def test_a_block_within_a_field_is_no_second_record(tmp_path: Path) -> None:
    inner = "\n".join(line or "." for line in draw("CC").splitlines())
    path = write(tmp_path / "a.sdf", record(ASPIRIN, fields=f"> <reagent>\n{inner}\n\n"))
    assert [row.fault for row in rows(path)] == [""]
    assert smiles_of(path) == [canonicalize(ASPIRIN)]


def test_no_cell_can_break_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.sdf"
    changed = {"$$$$": " $$$$", "a\n\nb": "a\nb", "a\r\n$$$$\nb": "a\n $$$$\nb"}
    same = ["> <x>\ny", "M  END", "Größe", "a\x0b\u2028b"]
    cells = [*changed, *same, "caf\udce9"]
    write_table(path, ("ID", "SMILES", "a <b>\n c"), [(cell, "CCO", cell) for cell in cells])
    back = rows(path)
    assert smiles_of(path) == ["CCO"] * len(cells)
    assert column(path, "a b c")[:7] == [*changed.values(), *same]
    assert [row.fault.partition(":")[0] for row in back] == [""] * 7 + ["not UTF-8"]


def test_a_field_named_like_the_structure_is_kept_beside_it(tmp_path: Path) -> None:
    path = write(tmp_path / "a.sdf", record(ASPIRIN, fields="> <structure>\nplanar\n\n"))
    assert smiles_of(path) == [canonicalize(ASPIRIN)]
    assert column(path, "structure (field)") == ["planar"]


def test_a_record_that_was_read_can_be_written_again(tmp_path: Path) -> None:
    source = write(tmp_path / "a.sdf", record(ASPIRIN, fields="> <logS>\n-2\n\n"))
    table = open_table(source)
    read = [row.cells for row in table.rows]
    write_table(tmp_path / "b.sdf", table.columns, read)
    assert smiles_of(tmp_path / "b.sdf") == [canonicalize(ASPIRIN)]
    assert open_table(tmp_path / "b.sdf").columns == table.columns


def test_a_row_without_a_molecule_keeps_its_place(tmp_path: Path) -> None:
    path = tmp_path / "a.sdf"
    write_table(path, ("smiles", "reason"), [("C1CC", "open ring"), (ASPIRIN, "")])
    assert [smiles_from_block(row.smiles) for row in rows(path)] == ["", canonicalize(ASPIRIN)]
    assert column(path, "smiles") == ["C1CC", ASPIRIN]


def test_a_center_that_one_drawing_hides_is_shown_by_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def without_templates(mol: Chem.Mol, **options: bool) -> None:
        rdDepictor.Compute2DCoords(mol)

    artemisinin = canonicalize(dict(DRUGS)["artemisinin"])
    plain = Chem.MolFromSmiles(artemisinin)
    without_templates(plain)
    assert canonicalize(smiles_from_block(Chem.MolToMolBlock(plain))) != artemisinin
    monkeypatch.setattr(sdf, "rdDepictor", SimpleNamespace(Compute2DCoords=without_templates))
    assert canonicalize(smiles_from_block(draw(artemisinin))) == artemisinin


def test_bridges_keep_their_stereo_centers(tmp_path: Path) -> None:
    write_table(tmp_path / "a.sdf", ("ID", "SMILES"), DRUGS)
    found = [row.id for row in rows(tmp_path / "a.sdf")]
    assert found == [name for name, _ in DRUGS]
    assert smiles_of(tmp_path / "a.sdf") == [canonicalize(smiles) for _, smiles in DRUGS]
