"""Which columns are numbers and which are classes, and what their cells may say."""

import csv
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest

from molvae.config import DataConfig
from molvae.data.labels import FEW, MOST, Label, find_labels
from molvae.errors import Rejected, UsageError
from tests.drugs import DRUGS

ACTIVITY = Label("activity", ("CA", "CI", "CM"))


def table(path: Path, name: str, cells: Iterable[object]) -> Path:
    """Write a table of drugs with one label column."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = ((smiles, cell) for (_, smiles), cell in zip(DRUGS, cells, strict=False))
        csv.writer(file).writerows([("smiles", name), *rows])
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def found(folder: Path, cells: Sequence[object], asked: str = "y", *, name: str = "y") -> Label:
    (label,) = find_labels(
        [table(folder / "a.csv", name, cells)], DataConfig(properties=(), labels=(asked,))
    )
    return label


def test_a_column_of_numbers_is_a_number(folder: Path) -> None:
    assert found(folder, ["1", "", "-2.5e1", " 3. "]) == Label("y")
    assert found(folder, ["0", "1", "0"]) == Label("y")  # unless it is said
    assert found(folder, ["", "", " "]) == Label("y")


def test_a_column_of_a_few_words_is_a_class(folder: Path) -> None:
    label = found(folder, ["inactive", "", " Active", "ACTIVE", "unclear", "Inactive"])
    assert label == Label("y", ("Active", "inactive", "unclear"))


def test_words_in_several_files_are_one_set_of_classes(folder: Path) -> None:
    paths = [
        table(folder / "a.csv", "y", ["b"] * 3),
        table(folder / "b.csv", "Y", ["a"]),
        table(folder / "c.csv", "x", [1]),
    ]
    config = DataConfig(labels=("y",))
    assert find_labels(paths[:2], config) == (Label("y", ("a", "b")),)
    with pytest.raises(UsageError, match=r"c\.csv: no column 'y'"):
        find_labels(paths, config)


def test_a_word_in_the_last_row_is_seen(folder: Path) -> None:
    assert found(folder, ["a"] * 300 + ["b"]).classes == ("a", "b")


def test_a_kind_can_be_said(folder: Path) -> None:
    zero_one = ["1", "0", "", "1.0"]
    assert found(folder, zero_one, "y:class") == Label("y", ("0", "1"))
    assert found(folder, zero_one, "Y:Class") == Label("Y", ("0", "1"))
    assert found(folder, ["10", "9", "b", "A"], "y:class").classes == ("9", "10", "A", "b")
    assert found(folder, ["high", "low"], "y:number") == Label("y")
    many = [f"word {number}" for number in range(MOST)]
    assert len(found(folder, many, "y:class").classes) == MOST


@pytest.mark.parametrize("name", ["y:class", "y:Number", "IC50: nM", "a:b:class", ":", "y:"])
def test_a_column_whose_name_has_a_colon_is_found_by_its_name(folder: Path, name: str) -> None:
    assert found(folder, ["1", "2"], name, name=name) == Label(name)
    assert found(folder, ["1", "2"], f"{name}:class", name=name) == Label(name, ("1", "2"))


def test_what_stands_behind_a_colon_must_be_a_kind(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"label 'y:klass': .* class or number"):
        found(folder, ["1"], "y:klass")
    with pytest.raises(UsageError, match=r"no column 'z:class'"):
        found(folder, ["1"], "z:class")


def test_words_among_numbers_are_left_to_be_rejected(folder: Path) -> None:
    label = found(folder, ["5.1", "6.2", "7", "ND", "inactive"])
    assert label == Label("y")
    with pytest.raises(Rejected, match="not a number: 'ND'"):
        label.read("ND")


@pytest.mark.parametrize("cells", [["CI", "CM", "0.5", "CI"], ["a", "1"]])
def test_numbers_among_words_show_both_readings(folder: Path, cells: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        found(folder, cells)
    message = str(caught.value)
    number = next(row for row, cell in enumerate(cells, 2) if cell[-1].isdigit())
    assert f"a.csv:{number}: {cells[number - 2]!r}" in message
    assert f"a.csv:2: {cells[0]!r}" in message
    assert "--label 'y:class'" in message
    assert "--label 'y:number'" in message
    assert set(found(folder, cells, "y:class").classes) == set(cells)


def test_slips_of_numbers_make_no_classes(folder: Path) -> None:
    for cell in ("1,5", "inf", "nan", "1e400", "1_0"):
        assert found(folder, [cell, cell]) == Label("y")
    assert found(folder, ["True", "False"]).classes == ("False", "True")


def test_many_words_are_no_classes_unless_it_is_said(folder: Path) -> None:
    names = [name for name, _ in DRUGS]
    assert len(found(folder, names[:FEW]).classes) == FEW
    with pytest.raises(UsageError, match=rf"{FEW + 1} different words .* --label 'y:class'"):
        found(folder, names[: FEW + 1])
    for asked in ("y", "y:class"):
        with pytest.raises(UsageError, match=rf"more than {MOST} different words \('aspirin'"):
            found(folder, names[: MOST + 1], asked)
    with pytest.raises(UsageError, match="too many for classes"):
        found(folder, [str(number) for number in range(MOST + 1)], "y:class")


def test_labels_keep_the_order_they_were_asked_in(folder: Path) -> None:
    path = folder / "a.csv"
    path.write_text("smiles,a,b,c\nCCO,1,x,0\nCCN,2,y,1\n")
    labels = find_labels([path], DataConfig(labels=("c:class", "b", "a", "A:number")))
    assert labels == (
        Label("c", ("0", "1")),
        Label("b", ("x", "y")),
        Label("a"),
        Label("A"),
    )


@pytest.mark.parametrize(
    ("cell", "position"), [("CA", 0), (" ci ", 1), ("Cm", 2), ("", math.nan), ("\t", math.nan)]
)
def test_a_cell_is_the_position_of_its_class(cell: str, position: float) -> None:
    np.testing.assert_equal(ACTIVITY.read(cell), position)
    assert ACTIVITY.write(position) == ("" if math.isnan(position) else cell.strip().upper())


def test_a_class_that_is_not_known_is_rejected_by_field() -> None:
    with pytest.raises(Rejected, match="unknown class: 'CX'") as caught:
        ACTIVITY.read("CX")
    assert caught.value.field == "activity"


def test_numbers_are_equal_classes_however_they_are_written() -> None:
    label = Label("y", ("0", "1"))
    assert [label.read(cell) for cell in ("1.0", "1e0", "0", "-0")] == [1, 1, 0, 0]


def test_one_hot_is_unknown_where_the_class_is() -> None:
    hot = ACTIVITY.one_hot(np.array([2, 0, np.nan], dtype=np.float32))
    np.testing.assert_array_equal(hot, [[0, 0, 1], [1, 0, 0], [np.nan] * 3])
    assert hot.dtype == np.float32
