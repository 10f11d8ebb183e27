"""What `scripts/train-bundled` counts of the trainings that a model has gone through."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from molvae.checkpoint import Checkpoint
from tests.scripts import load_script

TITLE = "approved drugs"


@pytest.fixture
def script(tiny_model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script with a tiny model as the one that ships, and its card."""
    script = load_script("train-bundled")
    checkpoint = Checkpoint.load(tiny_model_file)
    checkpoint.provenance["title"] = TITLE
    checkpoint.save(tmp_path / "tiny.safetensors")
    monkeypatch.setattr(script, "models", lambda: tmp_path)
    monkeypatch.setattr(script, "card_of", lambda name: tmp_path / f"{name}.json")
    write_card(tmp_path, [{"molecules_seen": 1}])
    return script


def write_card(folder: Path, lives: list[dict[str, Any]]) -> None:
    (folder / "tiny.json").write_text(json.dumps({"lives": lives}))


def test_a_training_has_the_lives_before_it_however_often_it_is_packed(
    script: ModuleType, tmp_path: Path
) -> None:
    """Otherwise a second packing would count the same steps twice, and draw other molecules."""
    recipe, work = {"title": TITLE}, tmp_path / "long"
    work.mkdir()
    assert script.earlier_lives("tiny", recipe, work) == [{"molecules_seen": 1}]
    write_card(tmp_path, [{"molecules_seen": 1}, {"molecules_seen": 2}])
    assert script.earlier_lives("tiny", recipe, work) == [{"molecules_seen": 1}]


def test_a_model_of_other_data_is_no_life_of_this_one(script: ModuleType, tmp_path: Path) -> None:
    assert script.earlier_lives("tiny", {"title": "ZINC and ChEMBL"}, tmp_path) == []


def test_the_shipped_moses_goes_on(tmp_path: Path) -> None:
    script = load_script("train-bundled")
    assert script.earlier_lives("moses", script.MODELS["moses"], tmp_path)


def test_a_training_that_went_on_is_finished_anew(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A decay that was interrupted goes on; that of an earlier step is no part of a later one."""
    steps, commands = iter((100, 100, 300)), []
    recipe = {"title": TITLE, "further": {"finish": []}}
    (tmp_path / "long").mkdir()

    def begin(*words: object) -> None:
        commands.append(words)
        folder = Path(str(words[3]))
        folder.mkdir(exist_ok=True)
        (folder / "state.safetensors").touch()

    monkeypatch.setattr(script, "molvae", begin)
    monkeypatch.setattr(script, "read_header", lambda *a, **k: {"state": {"step": next(steps)}})
    monkeypatch.setattr(script, "life_of", lambda *runs, threads: {})
    monkeypatch.setattr(script, "pack", lambda *a, lives: None)
    for _ in range(3):
        script.finish("tiny", recipe, tmp_path, threads=1)
    assert ["--resume" in words for words in commands] == [False, True, False]
