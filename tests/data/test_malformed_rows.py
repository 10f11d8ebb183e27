import csv
from collections import Counter
from typing import NamedTuple

import numpy as np
import pytest

from molvae.chem.selfies import decode_canonical
from molvae.config import DataConfig
from molvae.data.prepare import Prepared, prepare
from tests import malformed
from tests.malformed import LABEL, Malformed

SIZE = 1000  # of each; benchmarks/robustness.py has 10,000


class Case(NamedTuple):
    """A table, what is wrong with it, and what became of it."""

    made: Malformed
    prepared: Prepared
    listed: list[dict[str, str]]


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("malformed")
    table, rejects = folder / "export.csv", folder / "rejects.csv"
    made = malformed.make(malformed.druglike(SIZE), SIZE)
    table.write_bytes(made.content)
    config = DataConfig(properties=("MW",), labels=(LABEL,), min_count=1, uncharge=False)
    prepared = prepare([table], config, jobs=1, rejects=rejects)
    with rejects.open(newline="", encoding="utf-8") as file:
        listed = list(csv.DictReader(file))
    return Case(made, prepared, listed)


def test_the_table_holds_every_kind_of_fault_in_its_place(case: Case) -> None:
    counts = Counter(fault.kind for fault in case.made.faults)
    assert set(counts) == set(malformed.KINDS)
    assert min(counts.values()) >= SIZE // len(malformed.KINDS)
    lines = case.made.content.split(b"\n")
    for fault in case.made.faults:
        assert lines[fault.row - 1].startswith(b"row-")


@pytest.mark.parametrize("kind", malformed.KINDS)
def test_every_row_of_a_kind_is_reported_once_with_its_field_and_reason(
    case: Case, kind: str
) -> None:
    expected = [(f.row, f.field, f.reason) for f in case.made.faults if f.kind == kind]
    rows = {row for row, _, _ in expected}
    reported = [
        (reject.row, reject.field, reject.reason.partition(":")[0])
        for reject in case.prepared.rejects
        if reject.row in rows
    ]
    assert reported == expected


def test_no_other_row_is_reported(case: Case) -> None:
    rows = [reject.row for reject in case.prepared.rejects]
    assert rows == [fault.row for fault in case.made.faults]
    assert {reject.file for reject in case.prepared.rejects} == {"export.csv"}
    assert case.prepared.tally.rejected == Counter(fault.reason for fault in case.made.faults)


def test_the_rejects_file_says_the_same(case: Case) -> None:
    written = [(row["file"], int(row["row"]), row["field"], row["reason"]) for row in case.listed]
    said = [
        (reject.file, reject.row, reject.field, reject.reason) for reject in case.prepared.rejects
    ]
    assert written == said


def test_the_rejects_file_is_utf_8_and_shows_a_byte_that_was_not(case: Case) -> None:
    rows = {str(fault.row) for fault in case.made.faults if fault.kind == "latin-1 SMILES"}
    shown = [row["smiles"] for row in case.listed if row["row"] in rows]
    assert shown
    assert all(smiles.endswith(r"\xb5") for smiles in shown)


def test_every_good_molecule_is_kept_and_no_altered_one(case: Case) -> None:
    dataset = case.prepared.dataset
    kept = [
        decode_canonical(dataset.vocabulary.decode(dataset.molecule(index)))
        for index in range(dataset.size)
    ]
    assert kept == [good.smiles for good in case.made.good]
    assert (case.prepared.tally.kept, case.prepared.tally.merged) == (SIZE, 0)


def test_labels_stay_with_their_molecules(case: Case) -> None:
    dataset = case.prepared.dataset
    column = dataset.normalizer.names.index(LABEL)
    expected = [np.nan if good.label is None else good.label for good in case.made.good]
    assert dataset.properties[:, column] == pytest.approx(np.float32(expected), nan_ok=True)
