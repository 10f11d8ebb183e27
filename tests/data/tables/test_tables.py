import gzip
import hashlib
import io
import math
import tempfile
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from molvae.data.tables.cells import cell_text, number
from molvae.data.tables.records import find_column
from molvae.data.tables.sdf import draw
from molvae.data.tables.tables import names_in, open_table, write_table
from molvae.errors import InputError, Rejected, UsageError
from tests.tables import ASPIRIN, CAFFEINE, PARQUET, column, rows, write

PARACETAMOL = "CC(=O)Nc1ccc(O)cc1"


def found(path: Path, *, smiles_column: str = "") -> list[tuple[int, str]]:
    return [(row.line, row.smiles) for row in rows(path, smiles_column=smiles_column)]


THREE = [(2, ASPIRIN), (3, CAFFEINE), (4, PARACETAMOL)]
LINES = ["smiles,name", f"{ASPIRIN},aspirin", f"{CAFFEINE},caffeine", f"{PARACETAMOL},paracetamol"]


class _Terminal(io.BytesIO):
    def isatty(self) -> bool:
        return True


def test_cells_cannot_steer_a_terminal_and_are_unchanged_elsewhere() -> None:
    terminal, file = _Terminal(), io.BytesIO()
    for stream in (terminal, file):
        write_table(stream, ("SMILES", "a\x1b[2J"), [("CCO", "b\u202e\tc")], format="tsv")
    assert terminal.getvalue().decode() == 'SMILES\ta\\x1b[2J\nCCO\t"b\\u202e\tc"\n'
    assert file.getvalue().decode() == 'SMILES\ta\x1b[2J\nCCO\t"b\u202e\tc"\n'


def test_mixed_line_ends_and_blank_lines_keep_physical_row_numbers(tmp_path: Path) -> None:
    text = f"smiles\r\n{ASPIRIN}\n\n{CAFFEINE}\r\r\n{PARACETAMOL}"
    path = write(tmp_path / "a.csv", text)
    assert found(path) == [(2, ASPIRIN), (4, CAFFEINE), (6, PARACETAMOL)]


def test_a_quoted_cell_over_several_lines_counts_them(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", f'name,smiles\n"a,\n""b""\n",{ASPIRIN}\nc,{CAFFEINE}\n')
    assert found(path) == [(2, ASPIRIN), (5, CAFFEINE)]
    assert column(path, "name")[0] == 'a,\n"b"\n'


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_the_separator_is_told_by_the_first_line(tmp_path: Path, name: str, separator: str) -> None:
    path = write(tmp_path / name, "\n".join(LINES).replace(",", separator))
    assert found(path) == THREE
    assert rows(path)[0].id == "aspirin"


@pytest.mark.parametrize("header", ["SMILES", "Canonical_Smiles", "structure", "smi", "SMI"])
def test_the_smiles_column_is_found_in_any_case(tmp_path: Path, header: str) -> None:
    path = write(tmp_path / "a.csv", f"N,{header}\nCCN,{ASPIRIN}\n")
    assert found(path) == [(2, ASPIRIN)]


def test_a_named_column_is_taken_in_any_case(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", f"smiles,Product\nC,{ASPIRIN}\n")
    assert found(path, smiles_column="product") == [(2, ASPIRIN)]


def test_without_a_known_name_the_first_column_of_molecules_is_taken(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", f"number,drug,logP\n1,?,2\n2,{ASPIRIN},1.2\n")
    assert open_table(path).smiles_column == "drug"
    assert found(path) == [(2, "?"), (3, ASPIRIN)]


COLUMN_CHOICES = [
    # header, rows, the column taken
    ("activity,active,std_smiles", ["CM,1,{a}", "CI,0,{c}", "CI,0,{p}"], "std_smiles"),
    ("class,smiles_std", ["C,{a}", "N,{c}", "C,{p}"], "smiles_std"),
    ("C,N,O,SMILES_state", ["9,0,4,{a}", "8,4,2,{c}"], "SMILES_state"),
    ("batch,Canonical SMILES", ["I,{a}", "F,{c}"], "Canonical SMILES"),
    ("Isomeric-Smiles,N", ["{a},N", "{c},N"], "Isomeric-Smiles"),
    ("mol,CID,Class", ["{a},B1,1", "{c},B2,0"], "mol"),
    ("batch,Structure_SMILES", ["B,{a}", "B,{c}"], "Structure_SMILES"),
    ("sex,Molecule", ["F,{a}", "F,{c}"], "Molecule"),
    ("smiles,canonical_smiles", ["{a},C", "{c},C"], "smiles"),
    ("canonical_smiles,smiles", ["C,{a}"], "smiles"),
    ("smiles_length,drug", ["21,{a}", "27,{c}"], "drug"),  # a name that holds no molecules
    ("Molecule,drug", ["CHEMBL25,{a}", "CHEMBL113,{c}"], "drug"),
    ("structure,smiles_std", ["a.png,{a}", "b.png,{c}"], "smiles_std"),
    ("answer,drug", ["NO,{a}", "CO,{c}", "NO,{p}"], "drug"),  # most that look like molecules
    ("parent,drug", [",{a}", "{c},{c}", ",{p}"], "drug"),
    ("drug,SMARTS", ["{a},[#6]-[#8]", "oxide,[#6]-[#8]", "{c},[#6]-[#7]"], "drug"),
    ("x,code", ["[C][C][O][C],{a}", "[C][C][N][C],{c}"], "code"),
    ("name,drug", ["water,O", "ethanol,CCO", "methane,C"], "drug"),  # too small to look so
    ("smiles,name", ["C1CC,broken", "C(,broken"], "smiles"),
    ("structure,name", ["C1CC,broken", "C(,broken"], "structure"),
]


def cells_of(lines: list[str]) -> list[list[str]]:
    words = {"a": ASPIRIN, "c": CAFFEINE, "p": PARACETAMOL}
    return [line.format(**words).split(",") for line in lines]


@pytest.mark.parametrize("kind", ["csv", "tsv", PARQUET, "json", "jsonl"])
@pytest.mark.parametrize(("header", "lines", "taken"), COLUMN_CHOICES)
def test_the_column_of_molecules_is_the_one_that_a_reader_would_take(
    tmp_path: Path, kind: str, header: str, lines: list[str], taken: str
) -> None:
    write_table(tmp_path / f"a.{kind}", header.split(","), cells_of(lines))
    assert open_table(tmp_path / f"a.{kind}").smiles_column == taken


@pytest.mark.parametrize(("header", "lines", "taken"), COLUMN_CHOICES)
def test_molecules_are_written_from_the_column_that_would_be_read(
    tmp_path: Path, header: str, lines: list[str], taken: str
) -> None:
    cells = cells_of(lines)
    molecules = [row[header.split(",").index(taken)] for row in cells]
    for kind in ("sdf", "smi"):
        write_table(tmp_path / f"a.{kind}", header.split(","), cells)
    records = (tmp_path / "a.sdf").read_text().split("$$$$")
    for smiles, record in zip(molecules, records, strict=False):
        assert draw(smiles) in record
    written = (tmp_path / "a.smi").read_text().splitlines()
    assert [line.partition("\t")[0] for line in written] == molecules


@pytest.mark.parametrize("kind", ["csv", "tsv"])
@pytest.mark.parametrize(
    ("lines", "molecules"),
    [
        (["CM,1,{a}", "CI,0,{c}", "CI,0,{p}"], [ASPIRIN, CAFFEINE, PARACETAMOL]),
        (["N,{a}", "C,{c}", "N,{p}"], [ASPIRIN, CAFFEINE, PARACETAMOL]),
        (["{a},N", "{c},C", "{p},N"], [ASPIRIN, CAFFEINE, PARACETAMOL]),
        (["N,{a}"], [ASPIRIN]),
        (["ethanol,CCO", "water,O"], ["CCO", "O"]),
        (["molecule,{a}", "molecule,{c}"], [ASPIRIN, CAFFEINE]),  # a word that may be a heading
    ],
)
def test_a_class_letter_is_no_molecule_in_a_table_without_header(
    tmp_path: Path, kind: str, lines: list[str], molecules: list[str]
) -> None:
    separator = "," if kind == "csv" else "\t"
    text = "\n".join(map(separator.join, cells_of(lines)))
    assert [row.smiles for row in rows(write(tmp_path / f"a.{kind}", text))] == molecules


@pytest.mark.parametrize("header", ["activity", "active,batch"])
def test_a_table_with_class_letters_alone_has_no_column_of_molecules(
    tmp_path: Path, header: str
) -> None:
    line = {"activity": "{}", "active,batch": "1,{}"}[header]
    text = "\n".join([header, *(line.format(word) for word in ("CM", "CI", "CI", "CM"))])
    with pytest.raises(InputError, match="no column of SMILES; name it with --smiles-column"):
        open_table(write(tmp_path / "a.csv", text))


@pytest.mark.parametrize("kind", ["csv", "tsv", "json", "jsonl"])
def test_a_table_of_selfies_alone_is_refused_with_the_remedy(tmp_path: Path, kind: str) -> None:
    write_table(tmp_path / f"a.{kind}", ("name", "selfies"), [("ethanol", "[C][C][O]")])
    with pytest.raises(
        InputError, match=r"'selfies' holds SELFIES: selfies\.decoder\(text\) makes"
    ):
        open_table(tmp_path / f"a.{kind}")


@pytest.mark.parametrize("heading", ["std_smiles", "SMILES_state", "Structure", "mol", "Molecule"])
def test_a_smi_file_may_name_its_molecules_in_several_ways(tmp_path: Path, heading: str) -> None:
    path = write(tmp_path / "a.smi", f"{heading} name\n{ASPIRIN} aspirin\n")
    assert open_table(path).smiles_column == heading
    assert found(path) == [(2, ASPIRIN)]


def test_a_missing_column_is_named_with_those_there_are(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", f"smiles,pIC50\n{ASPIRIN},5.1\n")
    with pytest.raises(UsageError, match=r"no column 'pic5'; did you mean 'pIC50'\? Its columns"):
        find_column(open_table(path), "pic5")
    path = write(tmp_path / "b.csv", "id,value\nx1,5.1\nx2,2\n")
    with pytest.raises(InputError, match=r"no column of SMILES.* Its columns: id, value\."):
        open_table(path)


def test_a_column_that_stands_twice_is_refused_when_it_matters(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", f"smiles,x,x\n{ASPIRIN},1,2\n")
    table = open_table(path)
    with pytest.raises(InputError, match="2 columns are named 'x'"):
        find_column(table, "x")
    with pytest.raises(InputError, match="2 columns are named 'smiles'"):
        open_table(write(tmp_path / "b.csv", f"smiles,SMILES\nC,{ASPIRIN}\n"))


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.csv", f"{ASPIRIN}\n{CAFFEINE}\n", [(1, ASPIRIN), (2, CAFFEINE)]),
        ("a.csv", f"{ASPIRIN}\n", [(1, ASPIRIN)]),
        ("a.csv", f"aspirin,{ASPIRIN}\ncaffeine,{CAFFEINE}\n", [(1, ASPIRIN), (2, CAFFEINE)]),
        ("a.csv", f"{ASPIRIN},\n{CAFFEINE},x\n", [(1, ASPIRIN), (2, CAFFEINE)]),
        ("a.csv", f"{ASPIRIN},1.5\nx y,2\n{CAFFEINE},3", [(1, ASPIRIN), (2, "x y"), (3, CAFFEINE)]),
        ("a.smi", f"{ASPIRIN}\n{CAFFEINE}", [(1, ASPIRIN), (2, CAFFEINE)]),
        ("a.smi", f"SMILES\n{ASPIRIN}\n", [(2, ASPIRIN)]),
        ("a.smi", f"id\tsmiles\nx\t{ASPIRIN}\n", [(2, ASPIRIN)]),
        ("a.smi", f"smiles zinc_id\n\n{ASPIRIN} ZINC1\n", [(3, ASPIRIN)]),
    ],
)
def test_a_first_molecule_is_no_header(
    tmp_path: Path, name: str, text: str, expected: list[tuple[int, str]]
) -> None:
    assert found(write(tmp_path / name, text)) == expected


def test_a_column_that_is_named_does_not_cost_a_first_molecule(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", f"CC,{ASPIRIN}\nCCC,{CAFFEINE}\n")
    assert found(path, smiles_column="column_2") == [(1, ASPIRIN), (2, CAFFEINE)]
    with pytest.raises(UsageError, match=r"no column 'structure'.* column_1, column_2"):
        open_table(path, smiles_column="structure")


OTHERS = {  # tables as other programs write them
    "Excel, with its separator": "sep=;\r\nSMILES;n\r\n{a};1\r\n{c};2\r\n",
    "Excel, UTF-8": "\ufeffSMILES,n,,\r\n{a},1,,\r\n{c},2,,\r\n",
    "LibreOffice": '"n","SMILES"\n1,"{a}"\n2,"{c}"\n',
    "pandas": ",SMILES,n\n0,{a},1\n1,{c},2\n",
    "R, write.csv": '"","SMILES","n"\n"1","{a}",1\n"2","{c}",2\n',
    "R, write.table": '"SMILES"\t"n"\n"1"\t"{a}"\t1\n"2"\t"{c}"\t2\n',
    "R, write.table, one column": '"SMILES"\n"1","{a}"\n"2","{c}"\n',
    "KNIME": '"row ID","SMILES","n"\n"Row0","{a}",?\n"Row1","{c}",?\n',
    "DataWarrior": "Structure [idcode]\tSMILES of Structure\tn\nfdyQB@@\t{a}\t1\nfdyQ\t{c}\t2\n",
    "ChEMBL": '"Molecule ChEMBL ID";"Name";"Smiles"\n"C1";"A, ""b"" (c;d)";"{a}"\n"C2";"";"{c}"\n',
    "PubChem": 'cid,cmpdname,isosmiles\n1,"a;b",{a}\n2,c,{c}\n',
    "BindingDB": "Reactant_set_id\tLigand SMILES\tKi (nM)\n1\t{a}\t >1000\n2\t{c}\t5\n",
    "RDKit": "SMILES Name \n{a} x\n{c} y\n",
}


@pytest.mark.parametrize("program", OTHERS)
def test_tables_of_other_programs_are_read_whole(tmp_path: Path, program: str) -> None:
    text = OTHERS[program].format(a=ASPIRIN, c=CAFFEINE)
    path = tmp_path / ("a.smi" if program == "RDKit" else "a.tsv" if "\t" in text else "a.csv")
    read = rows(write(path, text))
    assert [(row.smiles, row.fault) for row in read] == [(ASPIRIN, ""), (CAFFEINE, "")]
    assert read[0].line == (3 if "sep=" in text else 2)
    assert {len(row.cells) for row in read} == {len(open_table(path).columns)}


def test_a_row_with_a_cell_too_many_is_no_name_of_a_row(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", f"smiles,n\n{ASPIRIN},1,x\n{CAFFEINE},2,y\n")
    assert [row.fault for row in rows(path)] == ["too many cells"] * 2


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("Assay of 2024,,\n\nSMILES,n,note\n{a},1,x\n", "a.csv:3: the header, after lines that"),
        ("# made by x\nSMILES;n\n{a};1\n", "a.csv:2: the header, after lines that are no part"),
        ("SMILES|n\n{a}|1\n{c}|2\n", r"commas, semicolons or tabs separate columns, not '\|'"),
        ("SMILES n\n{a} 1\n{c} 2\n", "not spaces; --format smi reads SMILES and IDs"),
        ('"SMILES" "n"\n"1" "{a}" 1\n"2" "{c}" 2\n', "not spaces"),
        ("<datawarrior-fileinfo>\n<version=3>\n", "a DataWarrior file; save it there as a text"),
        ("<table><tr><td>SMILES</td></tr></table>", "a web page"),
    ],
)
def test_what_is_nearly_a_table_is_refused_with_the_remedy(
    tmp_path: Path, text: str, cause: str
) -> None:
    path = write(tmp_path / "a.csv", text.format(a=ASPIRIN, c=CAFFEINE))
    with pytest.raises(InputError, match=cause):
        open_table(path)


@pytest.mark.parametrize(
    "text",
    [
        "id,notation,value\n1,smiles,{a}\n2,smiles,{c}\n",  # a row that names its notation
        "Canonical SMILES\n{a}\n{c}\n",
        "Canonical SMILES\n{a} |c:1|\n{c} |c:1|\n",
        "drug,n\n{a},smiles\n{c},2\n",
    ],
)
def test_a_word_for_smiles_within_a_table_is_no_header(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "a.csv", text.format(a=ASPIRIN, c=CAFFEINE))
    assert [row.smiles.split()[0] for row in rows(path)] == [ASPIRIN, CAFFEINE]


def test_more_columns_than_two_need_no_header_in_smi(tmp_path: Path) -> None:
    path = write(tmp_path / "a.smi", f"{ASPIRIN}\taspirin\t5.1\n{CAFFEINE}\tcaffeine\t\n")
    assert [(row.id, row.cells[2], row.fault) for row in rows(path)] == [
        ("aspirin", "5.1", ""),
        ("caffeine", "", ""),
    ]


def test_smi_lines_carry_an_id_after_white_space(tmp_path: Path) -> None:
    path = write(tmp_path / "a.smi", f"{ASPIRIN}\tacetylsalicylic acid\n{CAFFEINE}  c 1\nC\n")
    assert [row.id for row in rows(path)] == ["acetylsalicylic acid", "c 1", ""]


@pytest.mark.parametrize(
    ("text", "smiles", "cells"),
    [
        ("C |c:1| x y\n", "C |c:1|", ["x y"]),
        ("C\t|c:1|\tx\n", "C |c:1|", ["x"]),
        ("C |c:1|\tx\n", "C |c:1|", ["x"]),
        ("C |c:1|\n", "C |c:1|", [""]),
        ("smiles id\nC |c:1| x\n", "C |c:1|", ["x"]),
        ("smiles\textension\tid\nC\t|c:1|\tx\n", "C |c:1|", ["|c:1|", "x"]),
        ("C |c:1\n", "C |c:1", [""]),  # cut off, which the gate refuses
    ],
)
def test_the_extension_of_cxsmiles_is_part_of_the_molecule_in_a_smi_file(
    tmp_path: Path, text: str, smiles: str, cells: list[str]
) -> None:
    (row,) = rows(write(tmp_path / "a.smi", text))
    assert (row.smiles, list(row.cells[1:])) == (smiles, cells)
    assert row.id == cells[-1]


def test_columns_of_a_smi_file_with_a_header_are_cells(tmp_path: Path) -> None:
    path = write(tmp_path / "a.smi", f"SMILES\tID\tpIC50\n{ASPIRIN}\tx\t5.5\n")
    assert column(path, "pIC50") == ["5.5"]


def test_a_row_with_too_many_cells_is_at_fault_and_one_with_too_few_is_not(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", f"smiles,n\n{ASPIRIN},a,b\n{ASPIRIN}\n{ASPIRIN},a,,\n")
    assert [row.fault for row in rows(path)] == ["too many cells", "", ""]


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"PK\x03\x04\x14\x00", "Excel workbook; save the sheet as CSV"),
        (b"PAR1\x15\x04", "Parquet"),
        (b"smiles\n\x00\x01\x02", "binary"),
    ],
    ids=["xlsx", "parquet", "binary"],
)
def test_what_is_no_table_is_called_by_its_name(tmp_path: Path, content: bytes, cause: str) -> None:
    path = write(tmp_path / "a.csv", content)
    with pytest.raises(InputError, match=cause):
        rows(path)


CUT_OFF = "cut off in the last row: 2 of 4 cells, and no end of line"


@pytest.mark.parametrize(
    ("lines", "faults"),
    [
        (["a,b,5,c", "a,b,5,c", "a,b"], ["", "", CUT_OFF]),
        (["a,b,5,c", "a,b,5,c", '"a",b'], ["", "", CUT_OFF]),
        (["a,b,5,c", "a,b,5,c", "a,b\n"], ["", "", ""]),  # empty cells were left out
        (["a,b,5,c", "a,b", "a,b"], ["", "", ""]),  # as this table does
        (["a,b,5,c", "a,b,5,c", "a,b,5,"], ["", "", ""]),  # all cells are there
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("separator", [",", "\t"])
def test_a_last_row_without_its_end_and_cells_is_cut_off(
    tmp_path: Path, lines: list[str], faults: list[str], end: str, separator: str
) -> None:
    text = "\n".join(["smiles,id,n,note", *lines]).replace(",", separator).replace("\n", end)
    path = write(tmp_path / "a.csv", text)
    assert [row.fault for row in rows(path)] == faults


OPEN_QUOTE = "a quote opens and does not close"


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
@pytest.mark.parametrize(
    ("lines", "faults"),
    [
        (["a", '"b', "c", "d"], {3: OPEN_QUOTE}),  # up to the end of the file
        (["a", '"b', "c", '"d'], {3: OPEN_QUOTE, 5: OPEN_QUOTE}),  # up to another one
        (["a", '"b', "c", 'd"'], {3: OPEN_QUOTE}),  # up to a quote that would close it
        (["a", "b", "c", '"d'], {5: OPEN_QUOTE}),  # on the last line
        (['"a', "b", "c", "d"], {2: OPEN_QUOTE}),  # on the first row
        (["a", 'b"', 'c "c" c', '5" d'], {}),  # none opens
        (["a", '"b"', '"b ""c"""', '""'], {}),  # all close
        (["a", '"b" c', "d", "e"], {}),  # text behind the quote that closes
    ],
)
def test_a_quote_that_opens_and_does_not_close_costs_the_row_on_which_it_opens(
    tmp_path: Path, name: str, lines: list[str], faults: dict[int, str]
) -> None:
    separator = "," if name == "a.csv" else "\t"
    table = [["smiles", "name", "pIC50"], *([ASPIRIN, cell, "5.1"] for cell in lines)]
    read = rows(write(tmp_path / name, "\n".join(map(separator.join, table))))
    assert {row.line: row.fault for row in read} == dict.fromkeys(range(2, 6), "") | faults
    assert {row.smiles for row in read} == {ASPIRIN}
    assert {row.cells[2] for row in read if not row.fault} == {"5.1"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (  # in the column of molecules
            f'smiles\n{ASPIRIN}\n"{CAFFEINE}\n{PARACETAMOL}\n',
            [(2, ""), (3, OPEN_QUOTE), (4, "")],
        ),
        (  # rows whose first column is quoted
            f'name,smiles\n"a,{ASPIRIN}\nb",{CAFFEINE}\n',
            [(2, OPEN_QUOTE), (3, "")],
        ),
        (  # without a header
            f'{ASPIRIN},"a\n{CAFFEINE},b\n{PARACETAMOL},"c\n',
            [(1, OPEN_QUOTE), (2, ""), (3, OPEN_QUOTE)],
        ),
    ],
)
def test_an_open_quote_swallows_no_row(
    tmp_path: Path, text: str, expected: list[tuple[int, str]]
) -> None:
    assert [(row.line, row.fault) for row in rows(write(tmp_path / "a.csv", text))] == expected


@pytest.mark.parametrize("note", [f"{CAFFEINE}\nis a relative", f"made of\nwater, {CAFFEINE}, ice"])
def test_a_quoted_note_may_name_a_molecule(tmp_path: Path, note: str) -> None:
    path = write(tmp_path / "a.csv", f'name,smiles\n"{note}",{ASPIRIN}\nb,{CAFFEINE}\n')
    assert [(row.cells[0], row.fault) for row in rows(path)] == [(note, ""), ("b", "")]


def test_an_open_quote_in_the_header_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", f'smiles,"name\n{ASPIRIN},a\n{CAFFEINE},b\n')
    with pytest.raises(InputError, match=rf"a\.csv:1: {OPEN_QUOTE}, in the header"):
        open_table(path)


def test_an_open_quote_in_a_long_table_costs_one_row(tmp_path: Path) -> None:
    text = f'smiles,n\n{ASPIRIN},a\n{CAFFEINE},"b\n' + f"{PARACETAMOL},c\n" * 20_000
    read = rows(write(tmp_path / "a.csv", text))
    assert [row.line for row in read] == list(range(2, 20_004))
    assert [row.line for row in read if row.fault] == [3]


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_cell_that_is_too_long_costs_at_most_its_row(tmp_path: Path, quote: str) -> None:
    cell = f"{quote}{'x' * 200_000}{quote}"
    path = write(tmp_path / "a.csv", f"smiles,n\n{ASPIRIN},{cell}\n{CAFFEINE},b\n")
    assert [row.fault for row in rows(path)] == ["cell too long" if quote else "", ""]


@pytest.mark.parametrize(
    ("start", "end", "cause"),
    [
        (0.3, b"", "truncated"),
        (0.999, b"", "truncated"),
        (1.0, bytes(8), "damaged gzip data"),  # in place of the checksum and the length
    ],
)
def test_damaged_gzip_is_named(tmp_path: Path, start: float, end: bytes, cause: str) -> None:
    noise = "".join(f"{PARACETAMOL},{hashlib.sha256(b'%d' % i).hexdigest()}\n" for i in range(9999))
    whole = gzip.compress(("smiles,n\n" + noise).encode())
    kept = whole[: int(len(whole) * start) - len(end)]
    with pytest.raises(InputError, match=cause):
        rows(write(tmp_path / "a.csv.gz", kept + end))


def test_plain_text_named_gz_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="its content is not gzip"):
        open_table(write(tmp_path / "a.csv.gz", "smiles\nC\n"))


@pytest.mark.parametrize("name", ["a.xlsx", "a", "a.gz"])
def test_an_unknown_ending_lists_the_known_ones_and_the_option(tmp_path: Path, name: str) -> None:
    words = r"known format: \.smi, \.csv, .*\.jsonl; text also with \.gz\. .*--format"
    content = b"smiles\nC\n"
    path = write(tmp_path / name, gzip.compress(content) if name.endswith(".gz") else content)
    with pytest.raises(InputError, match=words):
        open_table(path)
    with pytest.raises(UsageError, match=words):
        write_table(tmp_path / name, ("smiles",), [[ASPIRIN]])
    assert [row.smiles for row in open_table(path, format="csv").rows] == ["C"]


def test_a_known_ending_can_be_overruled(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_table(path, ("ID", "SMILES"), [("x", ASPIRIN)], format="jsonl")
    assert path.read_text() == f'{{"ID": "x", "SMILES": "{ASPIRIN}"}}\n'
    assert [row.id for row in open_table(path, format="jsonl").rows] == ["x"]


def test_a_missing_file_and_a_folder_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        open_table(tmp_path / "none.csv")
    with pytest.raises(InputError, match="a folder; name a file in it"):
        open_table(tmp_path)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        *(("1", 1.0), (" -2.18 ", -2.18), ("+.5", 0.5), ("1e-3", 1e-3), ("7.", 7.0), ("1E5", 1e5)),
        *(("", math.nan), ("  ", math.nan)),
    ],
)
def test_plain_numbers_are_read_and_an_empty_cell_is_a_missing_value(
    cell: str, value: float
) -> None:
    np.testing.assert_equal(number(cell, field="x"), value)


NO_NUMBERS = "inf -inf 1e400 1,5 1_0 True 0x10 >5 \u0663 \uff11".split()


@pytest.mark.parametrize("cell", [*NO_NUMBERS, "1 2"])
def test_other_words_are_no_numbers(cell: str) -> None:
    with pytest.raises(Rejected, match="not a number") as caught:
        number(cell, field="pIC50")
    assert caught.value.field == "pIC50"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (math.nan, ""),
        (np.float64("nan"), ""),
        (True, "true"),
        (np.True_, "true"),
        (2.5, "2.5"),
        (3.0, "3"),
        (np.float32(0.1), "0.1"),
        (1e-05, "1e-05"),
        (7, "7"),
        ("3.0", "3.0"),
    ],
)
def test_values_become_short_cells(value: object, text: str) -> None:
    assert cell_text(value) == text


TABLE = [("m1", ASPIRIN, 1.5), ('two\n"words"', CAFFEINE, math.nan), ("c,d", PARACETAMOL, None)]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.csv.gz"])
def test_what_is_written_is_read_back(tmp_path: Path, name: str) -> None:
    write_table(tmp_path / name, ("ID", "SMILES", "LogP"), TABLE)
    back = rows(tmp_path / name)
    assert [(row.id, row.smiles, row.cells[2]) for row in back] == [
        ("m1", ASPIRIN, "1.5"),
        ('two\n"words"', CAFFEINE, ""),
        ("c,d", PARACETAMOL, ""),
    ]


def test_smi_is_written_as_smiles_tab_id(tmp_path: Path) -> None:
    write_table(tmp_path / "a.smi", ("ID", "SMILES", "LogP"), TABLE)
    text = (tmp_path / "a.smi").read_text()
    assert text == f'{ASPIRIN}\tm1\n{CAFFEINE}\ttwo "words"\n{PARACETAMOL}\tc,d\n'
    write_table(tmp_path / "b.smi", ("smiles",), [[ASPIRIN]])
    assert (tmp_path / "b.smi").read_text() == f"{ASPIRIN}\n"


def test_gzip_is_written_the_same_twice(tmp_path: Path) -> None:
    for name in ("a.csv.gz", "b.csv.gz"):
        write_table(tmp_path / name, ("smiles",), [[ASPIRIN]])
    assert (tmp_path / "a.csv.gz").read_bytes() == (tmp_path / "b.csv.gz").read_bytes()


def test_a_stream_takes_a_table_as_well() -> None:
    stream = io.BytesIO()
    write_table(stream, ("smiles",), [[ASPIRIN]])
    assert stream.getvalue() == f"smiles\n{ASPIRIN}\n".encode()


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "old")

    def broken() -> object:
        yield [ASPIRIN]
        raise KeyError("gone")

    with pytest.raises(KeyError):
        write_table(path, ("smiles",), broken())  # type: ignore[arg-type]
    assert path.read_text() == "old"


HEADINGS = st.text("abZ1 µ#'<>\"", max_size=4).map(str.strip).filter(lambda name: name != "id")
CELLS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8).map(str.strip)
OWN_COLUMNS = st.lists(HEADINGS, min_size=1, max_size=6).flatmap(
    lambda names: st.tuples(
        st.just(("smiles", *names)), st.lists(st.tuples(*[CELLS] * len(names)), min_size=1)
    )
)


@pytest.mark.parametrize("kind", ["csv", "tsv", "json", "jsonl", PARQUET, "sdf"])
@hypothesis.given(table=OWN_COLUMNS)
@hypothesis.settings(max_examples=50)
def test_each_cell_comes_back_under_its_heading_or_one_that_differs(
    kind: str, table: tuple[tuple[str, ...], list[tuple[str, ...]]]
) -> None:
    columns, cells = table
    written = [(ASPIRIN, *row) for row in cells]
    names = names_in(kind, columns)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a.{kind}"
        write_table(path, columns, written)
        back = open_table(path)
        read = [row.cells for row in back.rows]
    own = [back.columns.index(name) for name in names] if kind == "sdf" else range(len(columns))
    assert tuple(back.columns[place] for place in own) == names
    assert [tuple(row[place] for place in own) for row in read] == written
    if kind in ("csv", "tsv"):
        assert names == columns
    else:
        assert len({*names, ""}) == len(names) + 1


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        (("a", "", ""), ("a", "column_2", "column_3")),
        (("a", "a", "a"), ("a", "a_2", "a_3")),
        (("a", "a", "a_2"), ("a", "a_3", "a_2")),  # a heading of the table's own stays
        (("", "column_1", "column_1_2"), ("column_1_3", "column_1", "column_1_2")),
        (("a", "A"), ("a", "A")),
    ],
)
def test_a_heading_that_a_format_cannot_hold_gets_a_number(
    columns: tuple[str, ...], names: tuple[str, ...]
) -> None:
    for kind in ("sdf", "json", "jsonl", "parquet"):
        assert names_in(kind, columns) == names
    assert names_in("sdf", ("a<b", "a b", "<>")) == ("a b", "a b_2", "column_3")
