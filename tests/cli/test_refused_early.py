"""Requests that no model can meet are refused before the model is loaded."""

from pathlib import Path

import pytest

from molvae.cli import generators
from tests.cli.running import invoke

UNKNOWN, IMPOSSIBLE = "unknown property 'charm'", "target QED = 1.5: impossible, QED is 0 to 1"
FILTER, PATTERN = "unknown filter 'PAIN'; did you mean 'PAINS'?", "not SMARTS: 'C('"


@pytest.fixture
def tables(tmp_path: Path) -> dict[str, Path]:
    """A table of targets, of codes, and of molecules."""
    texts = {"TARGETS": "target_QED\n1.5\n", "CODES": "z1\n0\n", "MOLECULES": "smiles\nCCO\n"}
    for name, text in texts.items():
        (tmp_path / name).with_suffix(".csv").write_text(text, encoding="utf-8")
    return {name: (tmp_path / name).with_suffix(".csv") for name in texts}


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("generate MODEL -t charm=1", UNKNOWN),
        ("generate MODEL -t QED=1.5", IMPOSSIBLE),
        ("generate MODEL --targets TARGETS", IMPOSSIBLE),
        ("generate MODEL --filter PAIN", FILTER),
        ("generate MODEL --smarts C(", PATTERN),
        ("generate MODEL --not-smarts C(", PATTERN),
        ("neighbors CCO MODEL -t charm=1", UNKNOWN),
        ("neighbors CCO MODEL --smarts C(", PATTERN),
        ("interpolate CCO CCC MODEL -t QED=1.5", IMPOSSIBLE),
        ("sweep CCO MODEL -p charm", UNKNOWN),
        ("sweep CCO MODEL -p qed --to 1.5", IMPOSSIBLE),
        ("decorate c1ccccc1 MODEL -t charm=1", UNKNOWN),
        ("link CCO CCN MODEL -t QED=1.5", IMPOSSIBLE),
        ("decode CODES MODEL -t charm=1", UNKNOWN),
        ("augment MOLECULES MODEL --filter PAIN", FILTER),
    ],
)
def test_what_no_model_can_meet_is_refused_before_it_is_loaded(
    command: str,
    words: str,
    tiny_model_file: Path,
    tables: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def load(model: str, device: str) -> None:
        raise AssertionError("the model was loaded")

    monkeypatch.setattr(generators, "load", load)
    places = {"MODEL": tiny_model_file, **tables}
    done = invoke(*(places.get(word, word) for word in command.split()), code=2)
    assert words in done.stderr
