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
    with pytest.raises(UsageError) as caught:
        found(["1"], "y:klass")
    for words in ("one of class, number, log10", "did you mean 'y:class'?", "columns: smiles, y."):
        assert words in str(caught.value)
    with pytest.raises(UsageError, match="did you mean 'IC50: nM'"):
        label_cells(["IC50:nM"], ["IC50", "IC50: nM"])
    assert found(["1", "2"], "z:class") == Label("z", ("1", "2"))  # z is refused when opened


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
    for cell in ("1,200", "inf", "nan", "1e400", "1_0"):
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


SAID = ("NA", "N/A", "NaN", "null", "None", "?", "-", "#N/A", "<NA>", ".", " NA ", "\u2013", "n/a")


@pytest.mark.parametrize("cell", SAID)
def test_a_cell_may_say_that_it_has_no_value(cell: str) -> None:
    for cells in (["active", cell, "inactive", cell], ["1.5", cell, "2", cell]):
        column = filled(cells)
        label = column.label(str)
        assert cell.strip() not in label.classes
        values, causes = column.values(label)
        np.testing.assert_array_equal(np.isnan(values), [False, True, False, True])
        assert causes == {}
        assert column.notes(label, str)[0].startswith(f"y: {cell.strip()} means no value (2 rows)")


def test_what_only_resembles_a_missing_value_is_a_class() -> None:
    assert found(["Na", "K", "Ca", "NAN"]).classes == ("Ca", "K", "Na")
    assert found(["+", "-", "-", ""]).classes == ("+", "-")
    assert Label("grade", ("mild", "none")).parse("none") == 1  # of a model that has this class


# The cells of a column, and what they are read as; None where the row is rejected.
WRITTEN: dict[str, tuple[dict[str, float | None], str]] = {
    "Excel, English": ({"1,200": 1200, "5.5": 5.5, "12,300.5": 12300.5, "7": 7}, "1,200"),
    "Excel, German": ({"1.200,5": 1200.5, "1.200": 1200, "0,5": 0.5}, "1.200,5"),
    "Excel, French": ({"1\u202f200,5": 1200.5, "7": 7, "0,25": 0.25}, "1\u202f200,5"),
    "Excel, Swiss": ({"1'200.5": 1200.5, "3.25": 3.25}, "1'200.5"),
    "spaces": ({"1 200": 1200, "7": 7}, "1 200"),
    "decimal commas": ({"1,5": 1.5, "-2,25": -2.25, "1,5e3": 1500, "4": 4}, "1,5"),
    "a comma for the dot": ({"1.5": 1.5, "2.25": 2.25, "1,5": None}, ""),
    "thousands or a slip": ({"1,200": None, "7": 7}, ""),
    "three decimals and a slip": ({"5.512": 5.512, "1,5": None}, ""),
    "dots": ({"1.200": 1.2, "3.400": 3.4}, ""),
    "words": ({"5.5": 5.5, "1,234,567.5": 1234567.5, "ND": None}, "1,234,567.5"),
    "no groups of three": ({"1,20,000": None, "5.5": 5.5}, ""),
}


@pytest.mark.parametrize(("cells", "told"), WRITTEN.values(), ids=list(WRITTEN))
def test_separators_are_read_only_where_the_whole_column_is_clear(
    cells: dict[str, float | None], told: str
) -> None:
    column = filled(cells, "y:number")
    label = column.label(lambda row: f"a.csv:{row + 2}")
    values, causes = column.values(label)
    np.testing.assert_array_equal(values, [math.nan if v is None else v for v in cells.values()])
    assert list(causes) == [row for row, value in enumerate(cells.values()) if value is None]
    notes = column.notes(label, lambda row: f"a.csv:{row + 2}")
    assert [f"y: {told} is read as {cells[told]:.8g} (a.csv:" in note for note in notes] == [
        True
    ] * bool(told)


@pytest.mark.parametrize(
    ("cell", "advice"),
    [
        ("1,200", "1200 or 1.2? Write it without separators, and the decimal point as a dot"),
        ("1,5", "'1,5'; write 1.5"),
        ("1.200,5", "write 1200.5"),
        ("12,300.5", "write 12300.5"),
        ("1 200", "write 1200"),
        ("ND", "'ND'"),
        ("\u22121.5", "write -1.5"),
        (">10", "'>10'; a bound is no value: leave the cell empty, or write a number"),
        ("1e400", "'1e400'"),
    ],
)
def test_the_advice_on_a_number_is_what_was_meant(cell: str, advice: str) -> None:
    with pytest.raises(Rejected) as caught:
        Label("y").parse(cell)
    assert str(caught.value).endswith(advice)
    if advice[-1].isdigit():
        assert abs(Label("y").parse(advice.rpartition(" ")[2])) in (1.5, 1200.5, 12300.5, 1200)


@pytest.mark.parametrize("cell", ["1e39", "-3.5e38"])
def test_a_number_that_no_dataset_can_hold_is_rejected_by_field(cell: str) -> None:
    assert math.isfinite(np.float32(Label("dose").parse("3.4e38")))
    with pytest.raises(Rejected, match="number too large") as caught:
        Label("dose").parse(cell)
    assert caught.value.field == "dose"


def test_the_logarithm_of_a_label_has_a_name_of_its_own() -> None:
    label = found(["1", "1000", "NA", "0.01"], "IC50:log10", name="IC50")
    assert (label.name, label.column) == ("log10_IC50", "IC50")
    assert [label.parse(cell) for cell in ("1", "1000", "0.01")] == pytest.approx([0, 3, -2])
    assert [label.text(3.0), label.text(math.nan)] == ["1000", ""]
    for cell in ("0", "-5"):
        with pytest.raises(Rejected, match=f"no logarithm: '{cell}' is not above 0") as caught:
            label.parse(cell)
        assert caught.value.field == "IC50"


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
