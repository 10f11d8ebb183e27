"""Tables of targets are read as every table of molecules is."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from molvae.cli.judged import read_generated
from molvae.cli.requests import read_requests
from molvae.data.tables.tables import write_table
from molvae.errors import InputError
from molvae.normalizer import PropertyNormalizer
from molvae.targets import Request

DOSES = ("1..10 uM", "<=1 uM", "a|b", "nan", "two words")
NORMALIZER = PropertyNormalizer.fit(
    ("pIC50", *(f"dose={dose}" for dose in DOSES)),
    np.column_stack([np.arange(20), np.arange(20)[:, None] % 5 == np.arange(5)]).astype(float),
    classes={"dose": DOSES},
)


def asked(path: Path) -> list[Mapping[str, object]]:
    return [request.ranges for request in read_requests(NORMALIZER, {}, path, None)[0]]


@pytest.mark.parametrize("ending", ["csv", "tsv", "csv.gz", "json", "jsonl", "parquet"])
def test_a_table_of_targets_may_have_any_format(tmp_path: Path, ending: str) -> None:
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"targets.{ending}"
    write_table(path, ["pIC50", "dose"], [("5..7", None), (6.5, "two words")])
    assert asked(path) == [{"pIC50": (5.0, 7.0)}, {"pIC50": (6.5, 6.5), "dose": "two words"}]


@pytest.mark.parametrize("dose", DOSES)
def test_a_class_stands_in_a_cell_with_or_without_quotes(tmp_path: Path, dose: str) -> None:
    path = tmp_path / "targets.jsonl"
    cells = (dose, dose.replace(" ", "\n"), f'"{dose}"', f'"{dose}"|<=1 uM')
    path.write_text("\n".join(json.dumps({"dose": cell}) for cell in cells), encoding="utf-8")
    *alone, together = asked(path)
    assert alone == [Request.for_model({"dose": dose}, NORMALIZER).ranges] * 3
    assert together == Request.for_model({"dose": f'"<=1 uM"|"{dose}"'}, NORMALIZER).ranges


def test_columns_without_a_name_and_a_cell_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "excel.csv"
    path.write_text("pIC50,dose,,\n5,NA,,\n#N/A,nan,,\n", encoding="utf-8")
    assert asked(path) == [{"pIC50": (5.0, 5.0)}, {"dose": '"nan"'}]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"pIC50,pIC50\n5,6\n", "2 columns are named 'pIC50'"),
        (b"pIC50,dose\n5,\xb5M\n", "a.csv:2: not UTF-8"),
        (b'pIC50,dose\n5,"a\n', "a.csv:2: a quote opens and does not close"),
        (b"pIC50\n5\n5,1\n", "a.csv:3: too many cells; write the decimal point as a dot"),
    ],
)
def test_what_every_table_refuses_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        asked(path)
    assert words in str(caught.value)


def test_a_missing_value_is_no_target_of_molecules_to_judge_either(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("SMILES,target_LogP\nCCO,1\nCCN,NA\nCCC,\n", encoding="utf-8")
    found = read_generated(path, "", format="", quiet=True)
    assert found.targets == {"LogP": [(1.0, 1.0), None, None]}
