import json
from functools import partial
from pathlib import Path

import pytest

from molvae import checkpoint
from tests.cli.running import invoke

models = partial(invoke, "models")


@pytest.fixture
def bundled(tiny_model_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "bundled_models", lambda: {"drugs": tiny_model_file})


@pytest.mark.usefixtures("bundled")
def test_the_table_has_a_line_for_each_model() -> None:
    done = models()
    header, line = done.stdout.splitlines()
    assert header.split() == ["name", "MiB", "trained", "on", "molecules", "properties"]
    assert line.split()[0] == "drugs"
    assert line.endswith("MW LogP TPSA QED")


@pytest.mark.usefixtures("bundled")
def test_json_has_names_sizes_and_properties() -> None:
    (found,) = json.loads(models("--json").stdout)
    assert found["name"] == "drugs"
    assert found["properties"] == ["MW", "LogP", "TPSA", "QED"]
    assert found["molecules"] > 100


def test_an_installation_without_models_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "bundled_models", dict)
    done = models()
    assert done.stdout == ""
    assert "This installation has no bundled model" in done.stderr
    assert json.loads(models("--json").stdout) == []
