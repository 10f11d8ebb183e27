"""Which columns are numbers and which are classes, and what their cells may contain."""

import math
from collections.abc import Iterable, Sequence

import numpy as np
import pytest

from molvae.data.labels import FEW, MOST, Label, LabelCells, label_cells
from molvae.errors import Rejected, UsageError
from tests.drugs import DRUGS

ACTIVITY = Label("activity", ("CA", "CI", "CM"))


def filled(cells: Iterable[object], asked: str = "y", *, name: str = "y") -> LabelCells:
    (column,) = label_cells([asked], ["smiles", name])
    for cell in cells:
        column.add(str(cell))
    return column


def found(cells: Sequence[object], asked: str = "y", *, name: str = "y") -> Label:
    return filled(cells, asked, name=name).label(lambda row: f"a.csv:{row + 2}")


def test_a_column_of_numbers_is_a_number() -> None:
    assert found(["1", "", "-2.5e1", " 3. "]) == Label("y")
    assert found(["0", "1", "0"]) == Label("y")  # unless it is said
    assert found(["", "", " "]) == Label("y")


def test_a_column_of_a_few_words_is_a_class() -> None:
    label = found(["inactive", "", " Active", "ACTIVE", "unclear", "Inactive"])
    assert label == Label("y", ("Active", "inactive", "unclear"))


def test_a_word_in_the_last_row_is_seen() -> None:
    assert found(["a"] * 300 + ["b"]).classes == ("a", "b")


def test_a_kind_can_be_said() -> None:
    zero_one = ["1", "0", "", "1.0"]
    assert found(zero_one, "y:class") == Label("y", ("0", "1"))
    assert found(zero_one, "Y:Class") == Label("Y", ("0", "1"))
    assert found(["10", "9", "b", "A"], "y:class").classes == ("9", "10", "A", "b")
    assert found(["high", "low"], "y:number") == Label("y")
    many = [f"word {number}" for number in range(MOST)]
    assert len(found(many, "y:class").classes) == MOST


@pytest.mark.parametrize("name", ["y:class", "y:Number", "IC50: nM", "a:b:class", ":", "y:"])
def test_a_column_whose_name_has_a_colon_is_found_by_its_name(name: str) -> None:
    assert found(["1", "2"], name, name=name) == Label(name)
    assert found(["1", "2"], f"{name}:class", name=name) == Label(name, ("1", "2"))


def test_what_stands_behind_a_colon_must_be_a_kind() -> None:
    with pytest.raises(UsageError, match=r"label 'y:klass': .* class or number"):
        found(["1"], "y:klass")
    assert found(["1"], "z:class") == Label("z:class")  # refused where columns are found


def test_words_among_numbers_are_left_to_be_rejected() -> None:
    label = found(["5.1", "6.2", "7", "ND", "inactive"])
    assert label == Label("y")
    with pytest.raises(Rejected, match="not a number: 'ND'"):
        label.parse("ND")


@pytest.mark.parametrize("cells", [["CI", "CM", "0.5", "CI"], ["a", "1"]])
def test_numbers_among_words_show_both_readings(cells: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        found(cells)
    message = str(caught.value)
    number = next(row for row, cell in enumerate(cells, 2) if cell[-1].isdigit())
    assert f"a.csv:{number}: {cells[number - 2]!r}" in message
    assert f"a.csv:2: {cells[0]!r}" in message
    assert "--label 'y:class'" in message
    assert "--label 'y:number'" in message
    assert set(found(cells, "y:class").classes) == set(cells)


def test_slips_of_numbers_make_no_classes() -> None:
    for cell in ("1,5", "inf", "nan", "1e400", "1_0"):
        assert found([cell, cell]) == Label("y")
    assert found(["True", "False"]).classes == ("False", "True")


def test_many_words_are_no_classes_unless_it_is_said() -> None:
    names = [name for name, _ in DRUGS]
    assert len(found(names[:FEW]).classes) == FEW
    with pytest.raises(UsageError, match=rf"{FEW + 1} different words .* --label 'y:class'"):
        found(names[: FEW + 1])
    for asked in ("y", "y:class"):
        with pytest.raises(UsageError, match=rf"more than {MOST} different words \('aspirin'"):
            found(names[: MOST + 1], asked)
    with pytest.raises(UsageError, match="too many for classes"):
        found([str(number) for number in range(MOST + 1)], "y:class")


def test_labels_keep_the_order_of_the_request() -> None:
    labels = label_cells(["c:class", "b", "a", "A:number"], ["smiles", "a", "b", "c"])
    found = [(label.name, label.kind) for label in labels]
    assert found == [("c", "class"), ("b", ""), ("a", ""), ("A", "number")]


def test_each_row_has_its_value_or_the_reason_why_not() -> None:
    column = filled(["1", "", "ND", "-2.5", "ND"])
    values, causes = column.values(Label("y"))
    np.testing.assert_array_equal(values, [1, np.nan, np.nan, -2.5, np.nan])
    reasons = {row: str(cause) for row, cause in causes.items()}
    assert reasons == dict.fromkeys((2, 4), "not a number: 'ND'")


@pytest.mark.parametrize(
    ("cell", "position"), [("CA", 0), (" ci ", 1), ("Cm", 2), ("", math.nan), ("\t", math.nan)]
)
def test_a_cell_is_the_position_of_its_class(cell: str, position: float) -> None:
    np.testing.assert_equal(ACTIVITY.parse(cell), position)
    assert ACTIVITY.text(position) == ("" if math.isnan(position) else cell.strip().upper())


def test_a_class_that_is_not_known_is_rejected_by_field() -> None:
    with pytest.raises(Rejected, match="unknown class: 'CX'") as caught:
        ACTIVITY.parse("CX")
    assert caught.value.field == "activity"


def test_numbers_are_equal_classes_however_they_are_written() -> None:
    label = Label("y", ("0", "1"))
    assert [label.parse(cell) for cell in ("1.0", "1e0", "0", "-0")] == [1, 1, 0, 0]


def test_one_hot_is_unknown_where_the_class_is() -> None:
    hot = ACTIVITY.one_hot(np.array([2, 0, np.nan], dtype=np.float32))
    np.testing.assert_array_equal(hot, [[0, 0, 1], [1, 0, 0], [np.nan] * 3])
    assert hot.dtype == np.float32
