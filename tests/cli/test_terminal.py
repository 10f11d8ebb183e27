import json

import pytest

from molvae.cli.commands import generate
from molvae.cli.terminal import print_json, print_table, printable, say

# Colors, a title, a C1 control sequence, deletion, text that runs backwards, half a character.
HOSTILE = "\x1b[31m \x1b]0;title\x07 \x9b2J \x7f \u202e \ud800 größe \N{TEST TUBE}"


def harmless(text: str) -> bool:
    return all(letter.isprintable() or letter == "\n" for letter in text)


def test_what_a_terminal_could_obey_is_written_out(capsys: pytest.CaptureFixture[str]) -> None:
    shown = "\\x1b[31m \\x1b]0;title\\x07 \\x9b2J \\x7f \\u202e \\ud800 größe \N{TEST TUBE}"
    assert printable(HOSTILE) == shown
    say(HOSTILE)
    print_table((HOSTILE, "b"), [(HOSTILE, 1)])
    found = capsys.readouterr()
    assert harmless(found.out)
    assert harmless(found.err)
    assert found.err == shown + "\n"
    assert found.out.count("\\x1b") == 4


def test_json_brings_back_what_it_does_not_show(capsys: pytest.CaptureFixture[str]) -> None:
    value = {HOSTILE: [HOSTILE, 1.5, None]}
    print_json(value)
    text = capsys.readouterr().out
    assert harmless(text)
    assert "größe \N{TEST TUBE}" in text
    assert json.loads(text) == value


def test_name_from_a_model_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    generate._show([{"ID": "1", "SMILES": "CCO", HOSTILE: 1.0}], ["ID", "SMILES", HOSTILE])
    text = capsys.readouterr().out
    assert harmless(text)
    assert text.endswith("CCO\n")
