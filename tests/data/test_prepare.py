import csv
import gzip
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from molvae.chem import selfies
from molvae.chem.smiles import Standardization, standardize
from molvae.config import DataConfig
from molvae.data.molecules import Recipe, prepare_rows
from molvae.data.prepare import Prepared, prepare
from molvae.data.tables.records import Row
from molvae.data.tables.tables import write_table
from molvae.data.tally import LabelCount
from molvae.dataset import FORMAT, SPLIT_NAMES, MoleculeDataset
from molvae.errors import InputError, UsageError
from molvae.files import store
from molvae.training_index import RingSystems, molecule_hash
from tests.drugs import DRUGS

SHARED = Path(__file__).parents[3] / "shared" / "data"
ESOL = SHARED / "labelled" / "esol.csv.gz"
SOLUBILITY = "measured log solubility in mols per litre"

ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"
CAFFEINE = "Cn1c(=O)c2c(ncn2C)n(C)c1=O"
L_ALANINE, D_ALANINE = "C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O"
QUICK = DataConfig(properties=("MW", "LogP"), min_count=1)
ALL = {"validation": 0.0, "test": 0.0}  # are trained on
Make = Callable[..., Prepared]
WHOLE = Standardization(largest_fragment=False)


def table(path: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


@pytest.fixture
def drugs(tmp_path: Path) -> Path:
    return table(tmp_path / "drugs.csv", ("name", "smiles"), DRUGS)


def run(path: Path, config: DataConfig = QUICK, *, jobs: int = 0, strict: bool = False) -> Prepared:
    prepared = prepare([path], config, jobs=jobs, strict=strict)
    tally = prepared.tally
    assert tally.rows == tally.kept + tally.merged + sum(tally.rejected.values())
    assert tally.kept == prepared.dataset.size == sum(tally.splits.values())
    assert len(prepared.rejects) == sum(tally.rejected.values())
    return prepared


@pytest.fixture
def prepared_from(tmp_path: Path) -> Make:
    """Prepare the rows of a table that is made of them; properties are MW unless given."""

    def make(columns: Sequence[str], rows: Iterable[Sequence[Any]], **settings: Any) -> Prepared:
        config = DataConfig(**({"properties": ("MW",)} | settings))
        return run(table(tmp_path / "a.csv", columns, list(rows)), config)

    return make


def smiles_of(dataset: MoleculeDataset) -> list[str]:
    return [
        selfies.decode_canonical(dataset.vocabulary.decode(dataset.molecule(index)))
        for index in range(dataset.size)
    ]


def split_of(dataset: MoleculeDataset, smiles: str) -> str:
    (place,) = np.flatnonzero(dataset.hashes == molecule_hash([standardize(smiles)[0]])[0])
    return SPLIT_NAMES[dataset.split[place]]


def test_drugs_come_out_as_the_molecules_that_went_in(drugs: Path, tmp_path: Path) -> None:
    prepared = run(drugs)
    expected = list(dict.fromkeys(standardize(smiles)[0] for _, smiles in DRUGS))
    assert smiles_of(prepared.dataset) == expected
    prepared.dataset.save(tmp_path / "drugs.molvae")
    assert MoleculeDataset.load(tmp_path / "drugs.molvae").size == len(expected)


def test_mixtures_may_stay_whole(prepared_from: Make) -> None:
    """The dot between fragments is a symbol of its own."""
    mixtures = ["CCO.c1ccccc1", "CCO", "CCCO", "CCCCO", "O=C=O"]
    rows = [[smiles] for smiles in mixtures]
    dataset = prepared_from(["smiles"], rows, largest_fragment=False, **ALL).dataset
    assert smiles_of(dataset) == [standardize(m, WHOLE)[0] for m in mixtures]
    assert "." in dataset.vocabulary.symbols
    assert all(len(symbol) < 12 for symbol in dataset.vocabulary.symbols)


def test_properties_are_those_of_the_molecule(drugs: Path) -> None:
    dataset = run(drugs).dataset
    assert dataset.normalizer.names == ("MW", "LogP")
    assert dataset.properties[0, 0] == pytest.approx(180.16, abs=0.01)  # aspirin
    assert not np.isnan(dataset.properties).any()


def test_any_number_of_workers_writes_the_same_content(tmp_path: Path) -> None:
    rows = [(smiles, "long" if len(smiles) > 40 else "short") for _, smiles in DRUGS]
    path, output = table(tmp_path / "a.csv", ("smiles", "size"), rows), tmp_path / "a.molvae"
    config = DataConfig(properties=("MW",), labels=("size",), min_count=1)
    assert len({run(path, config, jobs=jobs).dataset.save(output) for jobs in (0, 1, 2)}) == 1
    assert MoleculeDataset.load(output).normalizer.classes == {"size": ("long", "short")}
    assert str(tmp_path).encode() not in output.read_bytes()


def test_another_order_of_rows_gives_the_same_split(drugs: Path, tmp_path: Path) -> None:
    forward = run(drugs).dataset
    path = table(tmp_path / "backwards.csv", ("name", "smiles"), DRUGS[::-1])
    backward = run(path).dataset
    sides = dict(zip(forward.hashes.tolist(), forward.split.tolist(), strict=True))
    assert sides == dict(zip(backward.hashes.tolist(), backward.split.tolist(), strict=True))


def test_every_row_is_kept_merged_or_rejected_with_its_reason(tmp_path: Path) -> None:
    cells = [ASPIRIN, "OC(=O)c1ccccc1OC(C)=O", "no molecule", "", CAFFEINE, "C1CC", "CO\u0421"]
    path = table(tmp_path / "a.csv", ["smiles"], [[cell, ""] for cell in cells])
    rejects = tmp_path / "bad.csv"
    prepared = prepare([path], QUICK, jobs=0, rejects=rejects)
    assert (prepared.tally.rows, prepared.tally.kept, prepared.tally.merged) == (7, 2, 1)
    assert [reject.row for reject in prepared.rejects] == [4, 5, 7, 8]
    with rejects.open(newline="", encoding="utf-8") as file:
        written = list(csv.DictReader(file))
    assert list(written[0]) == ["file", "row", "field", "smiles", "reason"]
    assert [(row["file"], row["row"], row["smiles"]) for row in written] == [
        ("a.csv", "4", "no molecule"),
        ("a.csv", "5", ""),
        ("a.csv", "7", "C1CC"),
        ("a.csv", "8", "CO\u0421"),
    ]
    assert str(prepared.rejects[2]).startswith("a.csv:7: not a molecule")
    assert prepared.tally.lines()[0] == (
        "7 rows: 2 molecules kept, 1 merged with an equal one, 4 rejected"
    )


def test_labels_of_equal_molecules_are_averaged_and_conflicts_named(prepared_from: Make) -> None:
    rows = [(ASPIRIN, 1), (CAFFEINE, 5), ("OC(=O)c1ccccc1OC(C)=O", 4), (ASPIRIN, ""), ("CCO", "")]
    prepared = prepared_from(("smiles", "pIC50"), rows, properties=(), labels=("PIC50",), **ALL)
    assert prepared.dataset.normalizer.names == ("PIC50",)
    assert np.array_equal(prepared.dataset.properties[:, 0], [2.5, 5, np.nan], equal_nan=True)
    assert prepared.tally.conflicts == 1
    assert list(map(str, prepared.conflicts)) == [
        "a.csv:4: PIC50 4, but 1 for the same molecule since a.csv:2; 2.5 is kept"
        " (measured more than once?)"
    ]


@pytest.mark.parametrize(
    ("first", "second", "values", "reason"),
    [
        ("C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O", (5, 7), "stereoisomers are one molecule"),
        ("F/C=C/F", "FC=CF", (5, 7), "stereoisomers are one molecule"),
        ("CC(=O)O", "CC(=O)O.[Na]", (5, 7), "salts and mixtures are one molecule"),
        ("CC(=O)O", "[13CH3]C(=O)O", (5, 7), "isotopes are one molecule"),
        ("CC(=O)O", "CC(=O)[O-]", (5, 7), "charges are one molecule"),
        ("CC(=O)O", "CC(=O)O", (5, 7), "measured more than once"),
        ("CC(=O)O", "OC(=O)C", (5, 7), "measured more than once"),
        ("CC(=O)O", "CC(=O)O", (25, 25_000), "units differ by a factor of 1,000"),
        ("CC(=O)O", "CC(=O)O", (7.3, 50), "one is the negative logarithm of the other"),
        ("CC(=O)O", "CC(=O)O", (0, 50), "measured more than once"),
        ("C[C@H](N)C(=O)O", "C[C@H](N)C(=O)O", (5, 7), "measured more than once"),
    ],
)
def test_a_conflict_names_its_likely_reason(
    prepared_from: Make, first: str, second: str, values: tuple[float, float], reason: str
) -> None:
    rows = [(first, values[0]), (second, values[1]), ("CCO", 1)]
    prepared = prepared_from(("smiles", "y"), rows, labels=("y",), **ALL)
    (conflict,) = prepared.conflicts
    assert conflict.reason.startswith(reason)
    assert str(conflict).endswith(f"is kept ({conflict.reason}?)")
    assert prepared.tally.reasons == {conflict.reason: 1}
    assert f"  1 perhaps since {conflict.reason}" in prepared.tally.lines()


def test_a_conflict_names_the_row_that_had_the_label_first(prepared_from: Make) -> None:
    """Not the molecule's first row, when that one says nothing."""
    rows = [(ASPIRIN, "", ""), (ASPIRIN, 1, "b"), (ASPIRIN, "", "a"), (ASPIRIN, 4, "b")]
    columns, labels = ("smiles", "y", "assay"), ("y", "assay")
    prepared = prepared_from(columns, [*rows, ("CCO", 2, "a")], labels=labels, **ALL)
    assert [conflict[:-2] for conflict in prepared.conflicts] == [
        ("assay", "a.csv", 4, "a", "a.csv", 3, "b"),
        ("y", "a.csv", 5, "4", "a.csv", 3, "1"),
    ]


def test_classes_are_columns_of_0_and_1_in_a_fixed_order(prepared_from: Make) -> None:
    bases = [(CAFFEINE, "Base"), ("CCN", "base")]
    rows = [(ASPIRIN, "acid"), *bases, ("CCO", ""), ("CCC(=O)O", "acid")]
    for order in (rows, rows[::-1]):
        dataset = prepared_from(("smiles", "kind"), order, labels=("kind",), **ALL).dataset
        assert [n.lower() for n in dataset.normalizer.names] == ["mw", "kind=acid", "kind=base"]
        assert list(dataset.normalizer.classes) == ["kind"]
        by_smiles = dict(zip(smiles_of(dataset), dataset.properties[:, 1:].tolist(), strict=True))
        assert by_smiles[standardize(ASPIRIN)[0]] == [1, 0]
        assert by_smiles[standardize(CAFFEINE)[0]] == by_smiles["CCN"] == [0, 1]
        assert np.isnan(by_smiles["CCO"]).all()


def test_of_classes_that_disagree_most_rows_win_and_a_tie_leaves_none(tmp_path: Path) -> None:
    two, three, four, five = "CCO", "CCCO", "CCCCO", "CCCCCO"
    rows = [
        *((two, "a"), (three, "a")),
        (two, "b"),  # a tie
        *((three, "b"), (three, "B")),  # two to one
        *((four, "a"), (four, "")),  # says nothing, so that it is no tie
        *((five, cell) for cell in "bcac"),
        *(("CCN", "c"), ("CCCN", "c"), ("CCCCN", "a"), ("CCCCCN", "b")),
    ]
    path = table(tmp_path / "a.csv", ("smiles", "y"), rows)
    conflicts = tmp_path / "conflicts.csv"
    config = DataConfig(properties=("MW",), labels=("y",), validation=0.0, test=0.0)
    prepared = prepare([path], config, jobs=0, conflicts=conflicts)
    hot = dict(zip(smiles_of(prepared.dataset), prepared.dataset.properties[:, 1:], strict=True))
    assert np.isnan(hot[two]).all()
    assert (list(hot[three]), list(hot[four]), list(hot[five])) == ([0, 1, 0], [1, 0, 0], [0, 0, 1])
    expected = [  # row, what it says, the first row with a label, what that says, what is kept
        (4, "b", 2, "a", ""),
        (5, "b", 3, "a", "b"),
        (6, "b", 3, "a", "b"),
        (10, "c", 9, "b", "c"),
        (11, "a", 9, "b", "c"),
        (12, "c", 9, "b", "c"),
    ]
    found = [(c.row, c.value, c.first_row, c.first_value, c.kept) for c in prepared.conflicts]
    assert found == expected
    told = "same molecule since a.csv:2; a tie, so none is kept"
    assert told in str(prepared.conflicts[0])
    with conflicts.open(newline="", encoding="utf-8") as file:
        written = list(csv.DictReader(file))
    assert [(int(row["row"]), row["value"], row["kept"]) for row in written] == [
        (row, value, kept) for row, value, _, _, kept in expected
    ]
    assert written[0]["first_file"] == "a.csv"
    assert prepared.tally.labels["y"] == LabelCount(7, 1, {"a": 2, "b": 2, "c": 3})


def test_conflicts_of_molecules_that_are_left_out_are_not_counted(
    prepared_from: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("molvae.data.merging.FULL_MIN_COUNT", 2)
    rows = [("CBr", 1), ("BrC", 2), ("CO", 1), ("OC", 2), ("CCO", 3)]
    prepared = prepared_from(("smiles", "y"), rows, labels=("y",), min_count=2, **ALL)
    assert prepared.tally.rejected == {"rare symbol": 2}
    assert [conflict.row for conflict in prepared.conflicts] == [5]
    assert prepared.tally.conflicts == 1


def test_every_molecule_has_a_class_or_is_counted_without(prepared_from: Make) -> None:
    rows = [
        *((f"{'C' * size}O", "a") for size in range(1, 6)),
        *((f"{'C' * size}N", "b") for size in range(1, 4)),
        ("CCS", ""),
        ("no molecule", "a"),
    ]
    prepared = prepared_from(("smiles", "y"), rows, labels=("y",))
    count = prepared.tally.labels["y"]
    assert count == LabelCount(8, 1, {"a": 5, "b": 3})
    assert count.molecules + count.missing == prepared.tally.kept
    assert "label y: classes a 5, b 3; without 1" in prepared.tally.lines()
    assert prepared.dataset.provenance["tally"]["labels"]["y"]["classes"] == {"a": 5, "b": 3}


def test_a_class_of_one_molecule_is_named_and_left_out(prepared_from: Make) -> None:
    sides = ["train"] * 5 + ["test"] * 2
    alcohols = [f"{'C' * size}O" for size in range(1, 8)]
    rows = zip(alcohols, "aabcbcc", sides, strict=True)
    prepared = prepared_from(("smiles", "y", "side"), rows, labels=("y",), split="side")
    assert prepared.dataset.normalizer.classes == {"y": ("a", "b")}
    assert prepared.tally.labels["y"] == LabelCount(4, 3, {"a": 2, "b": 2})
    assert prepared.tally.notes == (
        "y=c: too few molecules in the training split (1): left out; without y now: 3",
    )
    hot = prepared.dataset.properties[:, 1:]
    np.testing.assert_array_equal(np.nansum(hot, axis=1), [1, 1, 1, 0, 1, 0, 0])


@pytest.mark.parametrize("cells", [["a"] * 4, ["a", "a", "a", "b"], ["a", "b", "", ""], ["7"] * 4])
def test_a_column_that_does_not_vary_is_named_and_left_out(
    prepared_from: Make, cells: list[str]
) -> None:
    rows = [(f"{'C' * size}O", cell) for size, cell in enumerate(cells, 1)]
    names = ("MW", "HBD")
    prepared = prepared_from(("smiles", "y"), rows, properties=names, labels=("y",), **ALL)
    assert prepared.dataset.normalizer.names == ("MW",)
    assert prepared.dataset.normalizer.classes == {}
    assert prepared.dataset.properties.shape == (4, 1)
    assert [prepared.tally.notes[0], prepared.tally.notes[-1]] == [
        f"{name} does not vary over the training split: left out" for name in ("HBD", "y")
    ]
    assert prepared.tally.labels == {}


def test_numbers_that_look_like_classes_are_said_to(prepared_from: Make) -> None:
    rows = [(f"{'C' * size}O", size % 2) for size in range(1, 9)]
    tally = prepared_from(("smiles", "Active"), rows, labels=("Active",), **ALL).tally
    assert tally.lines()[-2:] == [
        "label Active: numbers 8",
        "Active: 0 and 1; --label Active:class makes classes of it",
    ]


def test_a_label_that_is_no_number_costs_its_row(prepared_from: Make) -> None:
    odd = ["1,5", "inf", "1e400", "1_0", "True", ">5"]
    rows = [(ASPIRIN, "1.5"), *((CAFFEINE, cell) for cell in odd), ("CCN", "2")]
    prepared = prepared_from(("smiles", "pIC50"), rows, properties=(), labels=("pIC50",), **ALL)
    assert prepared.tally.rejected == {"not a number": len(odd)}
    assert [reject.row for reject in prepared.rejects] == [3, 4, 5, 6, 7, 8]
    assert prepared.rejects[0].reason == "not a number: '1,5'; write 1.5"
    assert {reject.field for reject in prepared.rejects} == {"pIC50"}


def test_a_label_that_no_dataset_can_hold_costs_its_row(
    prepared_from: Make, tmp_path: Path
) -> None:
    rows = [("CCO", 1), ("CCN", "1e39"), ("CCS", "3e38"), ("OCC", "3.3e38")]
    prepared = prepared_from(("smiles", "y"), rows, labels=("y",), **ALL)
    assert [str(reject) for reject in prepared.rejects] == [
        "a.csv:3: number too large: '1e39', at most 3.4e+38"
    ]
    prepared.dataset.save(tmp_path / "a.molvae")
    again = MoleculeDataset.load(tmp_path / "a.molvae")
    assert again.properties[:, -1].tolist() == pytest.approx([1.65e38, 3e38])


def test_the_logarithm_of_a_label_is_a_condition_of_its_own(prepared_from: Make) -> None:
    rows = [("CCO", 1), ("OCC", 100), ("CCN", 0), ("CCS", "-5"), ("CCC", 1000), ("CCF", "NA")]
    labels = ("ki:log10", "ki")
    prepared = prepared_from(("smiles", "Ki"), rows, properties=(), labels=labels, **ALL)
    assert prepared.dataset.normalizer.names == ("log10_ki", "ki")
    np.testing.assert_allclose(
        prepared.dataset.properties, [[1, 50.5], [3, 1000], [math.nan, math.nan]]
    )
    assert [str(reject) for reject in prepared.rejects] == [
        "a.csv:4: no logarithm: '0' is not above 0",
        "a.csv:5: no logarithm: '-5' is not above 0",
    ]
    assert "ki: NA means no value (1 row)" in prepared.tally.notes
    (first, _) = prepared.conflicts
    assert (first.label, first.value, first.first_value, first.kept) == ("ki", "100", "1", "10")


def test_a_named_split_is_kept_and_the_most_held_out_row_wins(prepared_from: Make) -> None:
    rows = [
        (L_ALANINE, "train"),  # equal to a test molecule once stereo is dropped
        (ASPIRIN, "Train"),
        (D_ALANINE, "test"),
        (CAFFEINE, "valid"),
        (CAFFEINE, "train"),
        ("CCO", "train"),
    ]
    dataset = prepared_from(("smiles", "Side"), rows, split="side").dataset
    assert split_of(dataset, L_ALANINE) == "test"
    assert split_of(dataset, CAFFEINE) == "validation"
    assert split_of(dataset, ASPIRIN) == "train"


@pytest.mark.parametrize("size", [2, 3, 5, 7, 10])
def test_a_table_too_small_to_hold_out_is_told_what_helps(prepared_from: Make, size: int) -> None:
    rows = [[f"{'C' * each}O"] for each in range(1, size + 1)]
    told = prepared_from(["smiles"], rows).dataset.lacks()
    assert told.startswith(f"the dataset has {size} training and 0 validation molecules")
    share = float(told.partition("--validation ")[2].rstrip("."))
    again = prepared_from(["smiles"], rows, validation=share)
    assert (again.dataset.lacks(), again.tally.splits["validation"]) == ("", 1)


def test_a_split_column_without_a_validation_molecule_is_named(prepared_from: Make) -> None:
    rows = [("CCO", "train"), ("CCN", "train"), ("CCC", "test")]
    told = prepared_from(("smiles", "side"), rows, split="side").dataset.lacks()
    assert told.endswith("training needs both. Name both splits in the column 'side' of the table.")


def test_stereo_kept_leaves_mirror_images_apart(prepared_from: Make) -> None:
    rows = [[L_ALANINE], [D_ALANINE], [ASPIRIN]]
    assert prepared_from(["smiles"], rows, stereo=True, **ALL).tally.kept == 3


def test_scaffolds_are_held_out_whole(drugs: Path) -> None:
    dataset = run(drugs, DataConfig(properties=("MW",), split="scaffold", test=0.2)).dataset
    assert min(dataset.members(name).size for name in SPLIT_NAMES) > 0
    assert split_of(dataset, ASPIRIN) == "train"  # benzene is the most frequent scaffold
    assert split_of(dataset, "CC(=O)Nc1ccc(O)cc1") == "train"


def test_a_split_word_that_means_nothing_is_named_with_its_row(prepared_from: Make) -> None:
    with pytest.raises(InputError, match=r"a\.csv:3: 'maybe' names no split"):
        prepared_from(("smiles", "side"), [(ASPIRIN, "train"), ("CCO", "maybe")], split="side")


@pytest.mark.parametrize("jobs", [0, 2])
def test_rare_symbols_are_left_out_with_every_row_that_holds_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    monkeypatch.setattr("molvae.data.merging.FULL_MIN_COUNT", 10)
    common = [["C" * size + "O"] for size in range(1, 15)]
    path = table(tmp_path / "a.csv", ["smiles"], [["CCBr"], ["BrCC"], ["C=S"], *common, ["CBr"]])
    prepared = run(path, DataConfig(properties=("MW",), min_count=3), jobs=jobs)
    assert prepared.tally.left_out == {"[=S]": 1, "[Br]": 2}
    assert prepared.tally.rejected == {"rare symbol": 4}
    rejected = [(reject.row, reject.smiles) for reject in prepared.rejects]
    assert rejected == [(2, "CCBr"), (3, "CCBr"), (4, "C=S"), (19, "CBr")]
    assert prepared.tally.merged == 0


def test_a_small_table_is_not_thinned_out_by_the_default_min_count(drugs: Path) -> None:
    prepared = run(drugs, DataConfig(properties=("MW",)))
    assert (prepared.tally.min_count, prepared.tally.left_out) == (1, {})


def test_ring_systems_are_counted_once_for_each_training_molecule(
    prepared_from: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("molvae.data.merging.FULL_MIN_COUNT", 10)
    biphenyls = [[f"{'C' * n}c1ccc(-c2ccccc2)cc1", "train"] for n in range(5)]
    furans = [[f"{'C' * n}c1ccco1", "train" if n else "test"] for n in range(5)]
    thiophenes = [["CCc1cccs1", "train"] for _ in range(5)]
    rows = [*biphenyls, *furans, *thiophenes]
    prepared = prepared_from(("smiles", "split"), rows, split="split", min_count=1)
    assert prepared.dataset.rings == RingSystems(("c1ccccc1",), least=5)
    monkeypatch.undo()
    prepared = prepared_from(("smiles", "split"), rows, split="split", min_count=1)
    assert prepared.dataset.rings == RingSystems(("c1ccccc1", "c1ccoc1", "c1ccsc1"), least=1)


def test_long_molecules_are_rejected(prepared_from: Make) -> None:
    rows = [["C" * size] for size in (5, 6, 9, 10)]
    prepared = prepared_from(["smiles"], rows, max_symbols=9, **ALL)
    assert prepared.tally.rejected == {"too many symbols": 1}


def test_the_scale_is_fitted_to_the_training_split_only(prepared_from: Make) -> None:
    rows = [("CCO", 1.0, "train"), ("CCCO", 3.0, "train"), ("CCCCO", 1000.0, "test")]
    settings = {"properties": (), "labels": ("y",), "split": "side"}
    normalizer = prepared_from(("smiles", "y", "side"), rows, **settings).dataset.normalizer
    assert normalizer.mean[0] == pytest.approx(2.0)
    assert normalizer.high[0] <= 3.0


@pytest.mark.parametrize(
    ("cells", "labels", "message"),
    [
        ([(ASPIRIN, 1), ("C1CC", 2), ("nothing", 3)], (), "not a molecule"),
        ([("CCO", 1), ("CCN", "1_5"), ("C1CC", 2)], ("y",), "not a number"),
    ],
)
def test_strict_stops_at_the_first_bad_row(
    tmp_path: Path, cells: list[tuple[str, Any]], labels: tuple[str, ...], message: str
) -> None:
    path = table(tmp_path / "a.csv", ("smiles", "y"), cells)
    with pytest.raises(InputError, match=rf"a\.csv:3: {message}"):
        run(path, DataConfig(labels=labels), strict=True)


@pytest.mark.parametrize(
    ("kind", "cell"), [("number", "1_5"), ("log10", "0"), ("log10", "-1"), ("number", "1e39")]
)
def test_strict_stops_at_a_label_that_no_other_row_can_change(
    tmp_path: Path, kind: str, cell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [("CCO", 7), ("CCN", cell), *(("C" * size, 1) for size in range(1, 50))]
    path = table(tmp_path / "a.csv", ("smiles", "y"), rows)
    monkeypatch.setattr("molvae.data.prepare.CHUNK", 4)
    done: list[int] = []
    with pytest.raises(InputError, match=r"a\.csv:3: (not a number|no logarithm|number too large)"):
        prepare(
            [path],
            DataConfig(labels=(f"y:{kind}",)),
            jobs=0,
            strict=True,
            progress=lambda count, _: done.append(count),
        )
    assert max(done) < 10


def test_too_many_classes_are_told_before_the_chemistry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("molvae.data.prepare.prepare_rows", lambda *_: pytest.fail("too late"))
    rows = [("CCO", f"word {number}") for number in range(51)]
    path = table(tmp_path / "a.csv", ("smiles", "y"), rows)
    with pytest.raises(UsageError, match="more than 50 different words"):
        run(path, DataConfig(labels=("y:class",)))


def test_a_row_with_a_bad_label_is_not_the_first_of_its_molecule(prepared_from: Make) -> None:
    rows = [("CCO", "!"), ("CCN", 1), ("OCC", 2), ("CCO", 3), ("C1CC", "x"), ("CCC", 4)]
    prepared = prepared_from(("smiles", "y"), rows, labels=("y",), **ALL)
    assert smiles_of(prepared.dataset) == ["CCN", "CCO", "CCC"]
    assert prepared.dataset.properties[:, 1].tolist() == [1, 2.5, 4]
    rejected = [(reject.row, reject.smiles, reject.field) for reject in prepared.rejects]
    assert rejected == [(2, "CCO", "y"), (6, "C1CC", "y")]
    assert [(c.row, c.first_row) for c in prepared.conflicts] == [(5, 4)]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.json", "a.csv.gz"])
def test_progress_ends_with_all_rows_and_bytes(tmp_path: Path, name: str) -> None:
    path, small = tmp_path / name, table(tmp_path / "b.csv", ["smiles"], [[ASPIRIN]])
    write_table(path, ("smiles",), [[smiles] for _, smiles in DRUGS[:40]])
    done: list[tuple[int, int]] = []
    prepare([path, small], QUICK, jobs=0, progress=lambda *counts: done.append(counts))
    size = path.stat().st_size + small.stat().st_size
    assert done == sorted(done)
    assert done[-1] == (41, size)
    assert done[9][1] < size / 2  # the whole table is read by then


def test_nothing_left_says_why_and_still_lists_the_rows(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", ["smiles"], [["C1CC"], ["nan"]])
    rejects = tmp_path / "bad.csv"
    with pytest.raises(InputError, match="of 2 rows no molecule is left"):
        prepare([path], QUICK, jobs=0, rejects=rejects)
    assert len(rejects.read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (DataConfig(labels=("pIC5",)), r"no column 'pIC5'; did you mean 'pIC50'\? Its columns"),
        (DataConfig(split="sid"), "no column 'sid'"),
        (DataConfig(properties=("LogQ",)), "unknown property 'LogQ'; did you mean 'LogP'"),
        (DataConfig(properties=("LogP", "MolLogP")), "'logp' is asked for twice"),
        (DataConfig(labels=("logp",)), "'logp' is asked for twice"),
        (DataConfig(labels=("pIC50", "pic50:class")), "'pic50' is asked for twice"),
        (DataConfig(properties=("MW",), labels=("logp",)), "'logp': that is the name of a prop"),
    ],
)
def test_names_that_mean_nothing_are_usage_errors(
    tmp_path: Path, config: DataConfig, message: str
) -> None:
    path = table(tmp_path / "a.csv", ("smiles", "pIC50", "logp"), [(ASPIRIN, 1, 2)])
    with pytest.raises(UsageError, match=message):
        run(path, config)


def test_a_second_file_without_the_column_is_found_before_the_work(tmp_path: Path) -> None:
    first = table(tmp_path / "a.csv", ("smiles", "y"), [(ASPIRIN, 1)])
    second = table(tmp_path / "b.csv", ("smiles", "z"), [(CAFFEINE, 1)])
    done: list[int] = []
    config = DataConfig(labels=("y",))
    with pytest.raises(UsageError, match=r"b\.csv: no column 'y'"):
        prepare([first, second], config, jobs=0, progress=lambda rows, read: done.append(rows))
    assert done == []


def test_several_files_are_one_table(tmp_path: Path) -> None:
    first = table(tmp_path / "a.csv", ["smiles"], [[ASPIRIN], ["x"]])
    second = tmp_path / "b.smi.gz"
    second.write_bytes(gzip.compress(f"{CAFFEINE} 1\nCCO 2\n{ASPIRIN} 3\ny 4\n".encode()))
    prepared = prepare([first, second], QUICK, jobs=0)
    assert (prepared.tally.kept, prepared.tally.merged) == (3, 1)
    rejected = [(reject.file, reject.row) for reject in prepared.rejects]
    assert rejected == [("a.csv", 3), ("b.smi.gz", 4)]


def test_provenance_says_where_from_and_how_but_not_where_it_lay(drugs: Path) -> None:
    provenance = run(drugs).dataset.provenance
    (source,) = provenance["sources"]
    assert (source["name"], source["rows"]) == ("drugs.csv", len(DRUGS))
    assert len(source["sha256"]) == 64
    assert provenance["data"]["properties"] == ["MW", "LogP"]
    assert provenance["tally"]["rows"] == len(DRUGS)
    assert provenance["constraints_hash"] == selfies.constraints_hash(provenance["constraints"])
    assert set(provenance["versions"]) == {"molvae", "rdkit", "selfies"}


def hostile_rows(recipe: Recipe, rows: list[Row]) -> list[Any]:
    import os

    if any(row.smiles == "kill" for row in rows):
        os._exit(1)
    return prepare_rows(recipe, rows)


def test_a_row_that_kills_its_worker_is_rejected_and_the_run_goes_on(
    drugs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with drugs.open("a") as file:
        file.write("killer,kill\nethanol,CCO\n")
    monkeypatch.setattr("molvae.data.prepare.prepare_rows", hostile_rows)
    prepared = prepare([drugs], QUICK, jobs=2)
    assert prepared.tally.rejected == {"worker died": 1}
    assert prepared.rejects[0].row == len(DRUGS) + 2
    assert prepared.tally.rows == len(DRUGS) + 2


@pytest.mark.skipif(not ESOL.exists(), reason="the ESOL table is not on this machine")
def test_esol_is_kept_or_merged_to_98_per_cent(tmp_path: Path) -> None:
    config = DataConfig(properties=("MW", "LogP"), labels=(SOLUBILITY,))
    prepared = run(ESOL, config, jobs=2)
    assert prepared.tally.rows == 1128
    assert prepared.tally.kept + prepared.tally.merged >= 0.98 * 1128
    assert prepared.dataset.normalizer.names[-1] == SOLUBILITY
    path = tmp_path / "esol.molvae"
    prepared.dataset.save(path)
    header = store.read_header(path, kind="dataset", format=FORMAT)
    assert header["provenance"]["tally"]["rows"] == 1128


BACE = SHARED / "labelled" / "bace.csv.gz"
HIV = SHARED / "labelled" / "hiv.csv.gz"


@pytest.mark.skipif(not BACE.exists(), reason="the BACE table is not on this machine")
def test_bace_has_a_class_of_0_and_1_beside_a_number() -> None:
    config = DataConfig(properties=("MW",), labels=("Class:class", "pIC50"))
    prepared = run(BACE, config, jobs=2)
    assert prepared.tally.rows == 1513
    assert prepared.dataset.normalizer.quantities == ("MW", "Class", "pIC50")
    label = prepared.tally.labels["Class"]
    assert label.molecules + label.missing == prepared.tally.kept
    assert list(label.classes) == ["0", "1"]
    # Stereo isomers are one molecule here, and a few of them differ in their class.
    for conflict in prepared.conflicts:
        assert conflict.value != conflict.first_value
        assert conflict.first_row < conflict.row <= 1514
    ties = {c.first_row for c in prepared.conflicts if c.label == "Class" and not c.kept}
    assert 0 < len(ties) == label.missing


@pytest.mark.skipif(not HIV.exists(), reason="the HIV table is not on this machine")
def test_the_rows_of_hiv_that_contradict_each_other_are_named(tmp_path: Path) -> None:
    pairs = [(688, 1603), (436, 2021), (4749, 5214), (5595, 5596), (4136, 6567)]  # physical lines
    with gzip.open(HIV, "rt") as file:
        lines = [[], *csv.reader(file)]
    some = sorted({number for pair in pairs for number in pair} | {*range(4, 120)})
    path = table(tmp_path / "hiv.csv", lines[1], [lines[number] for number in some])
    config = DataConfig(properties=("MW",), labels=("activity",), min_count=1, validation=0, test=0)
    prepared = run(path, config)
    found = {(some[c.first_row - 2], some[c.row - 2]): c for c in prepared.conflicts}
    assert found.keys() == set(pairs)
    for (first, other), conflict in found.items():
        assert (lines[first][1], lines[other][1]) == (conflict.first_value, conflict.value)
        assert not conflict.kept
    count = prepared.tally.labels["activity"]
    assert (count.missing, list(count.classes)) == (len(pairs), ["CI", "CM"])
    assert count.molecules + count.missing == prepared.tally.kept
