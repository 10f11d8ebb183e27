import random
from collections import Counter
from pathlib import Path

import pytest

from benchmarks import tampering


@pytest.fixture(scope="module")
def files(tiny_model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = tampering.make_files(tmp_path_factory.mktemp("files"), molecules=100)
    return {"checkpoint": tiny_model_file, **made}


@pytest.mark.parametrize(
    ("kind", "count"), [("checkpoint", 300), ("dataset", 90), ("state", 90), ("config", 150)]
)
def test_every_altered_file_is_refused_in_a_second_or_is_sound(
    kind: str, count: int, files: dict[str, Path]
) -> None:
    found = tampering.tamper(kind, files[kind], count, jobs=0, seed=0)
    for sort in ("crashes", "untyped", "accepted"):
        assert found[sort] == 0, found["examples"]
    assert found["outcomes"]["refused"] > count / 3
    assert found["outcomes"]["usable"] > 0  # the forged ones get far enough to do harm
    assert sum(found["outcomes"].values()) == count
    assert found["seconds"] < 1


@pytest.mark.parametrize("kind", ["checkpoint", "dataset", "state"])
def test_a_wrong_value_in_each_part_of_a_header_is_refused_or_does_no_harm(
    kind: str, files: dict[str, Path], tmp_path: Path
) -> None:
    found = tampering.walk(kind, files[kind], tmp_path, each=1)
    assert found["untyped"] == []
    assert found["outcomes"]["refused"] > sum(found["outcomes"].values()) / 2
    assert sum(found["outcomes"].values()) > 50


def test_every_flipped_bit_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    size = 8 * files["checkpoint"].stat().st_size
    bits = [*range(64), *sorted(random.Random(0).sample(range(64, size), 236))]
    found = tampering.flip_all(files["checkpoint"], tmp_path, bits)
    assert Counter(case.outcome for case in found) == {"refused": 300}


def test_a_reader_that_trusts_a_file_is_detected(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that checks no digest would be."""
    sound = files["checkpoint"]
    monkeypatch.setitem(tampering.READERS, "checkpoint", lambda path, sound: lambda: None)
    cases = [tampering.judge("checkpoint", sound, tmp_path, f"checkpoint 0 {n}") for n in range(30)]
    assert Counter(case.outcome for case in cases)["accepted"] > 10
