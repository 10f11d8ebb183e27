from typing import Any

import pytest

from benchmarks import fuzzing
from molvae.parallel.workers import Lost


@pytest.mark.parametrize("kind", ["symbols", "smiles"])
def test_no_string_crashes_the_chemistry_or_gets_past_it(kind: str) -> None:
    found = fuzzing.fuzz(kind, 1000, jobs=2, seed=1)
    assert {sort: found[sort] for sort in ("crashes", "untyped", "wrong")} == {
        "crashes": 0,
        "untyped": 0,
        "wrong": 0,
    }, found["examples"]
    kept = sum(count for outcome, count in found["outcomes"].items() if "kept" in outcome)
    assert 0.05 < kept / 1000 < (0.5 if kind == "smiles" else 1.0)  # there was something to refuse
    assert sum(found["outcomes"].values()) == 1000


def test_a_string_depends_on_its_number_and_the_seed_alone() -> None:
    for make in fuzzing.MAKE.values():
        assert make(1, 5) == make(1, 5) != make(2, 5)
        assert len({"".join(make(1, number)) for number in range(50)}) > 45


def test_what_is_wrong_is_counted_and_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(text: str) -> Any:
        if len(text) > 100:
            raise KeyError(text)
        return fuzzing.Verdict("kept", "odd" if len(text) < 30 else "")

    def here(work: Any, items: range, **more: int) -> Any:
        for number in items:
            try:
                yield number, work([number])[0]
            except KeyError:
                yield number, Lost("worker failed", "KeyError: ...")

    monkeypatch.setitem(fuzzing.WORK, "smiles", careless)
    monkeypatch.setattr(fuzzing, "map_chunks", here)
    found = fuzzing.fuzz("smiles", 200, jobs=1, seed=0)
    assert found["untyped"] > 0
    assert found["wrong"] > 0
    assert found["examples"]["wrong"][0].endswith("': odd")
    assert found["examples"]["untyped"][0].endswith("': worker failed: KeyError: ...")
