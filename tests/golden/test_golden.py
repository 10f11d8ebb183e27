"""The same commands write the same outputs, bit by bit, as when `hashes.json` was recorded.

A change that is meant to change an output records it anew, `python -m tests.golden.record CASE`,
and its commit names the case. Bits differ between processors and between versions of the
libraries: on others than those in `hashes.json` the tests are skipped. To check a change there,
record before it, without committing, and test after it.
"""

import importlib.util
import json

import pytest

from tests.golden.cases import CASES
from tests.golden.inputs import DRUGLIKE
from tests.golden.outputs import difference
from tests.golden.record import HASHES
from tests.golden.running import Workplace, machine

RECORDED = json.loads(HASHES.read_text(encoding="utf-8"))
OTHER = [
    f"{name} {RECORDED['machine'].get(name)}, here {here}"
    for name, here in machine().items()
    if RECORDED["machine"].get(name) != here
]
pytestmark = [
    pytest.mark.skipif(bool(OTHER), reason=f"golden outputs were recorded with {'; '.join(OTHER)}"),
    pytest.mark.skipif(not DRUGLIKE.is_file(), reason=f"no {DRUGLIKE} in this checkout"),
]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    return Workplace(tmp_path_factory.mktemp("golden"))


def test_every_case_is_recorded() -> None:
    assert list(RECORDED["cases"]) == list(CASES)


@pytest.mark.parametrize("name", CASES)
def test_output_is_as_recorded(name: str, workplace: Workplace) -> None:
    extra = CASES[name].extra
    if extra and importlib.util.find_spec(extra) is None:
        pytest.skip(f"needs {extra}")
    expected, found = RECORDED["cases"][name], workplace.result_of(name)
    assert found["exit"] == expected["exit"], workplace.errors[name]
    assert list(found["outputs"]) == list(expected["outputs"])
    for output, recorded in expected["outputs"].items():
        told = difference(recorded, found["outputs"][output])
        assert not told, f"molvae {CASES[name].words}: {output}:\n" + "\n".join(told)


def test_interrupted_training_ends_in_the_same_model() -> None:
    whole, broken = (
        RECORDED["cases"][name]["outputs"]["run/model.safetensors"]
        for name in ("train-labels", "train-interrupted")
    )
    assert whole == broken
