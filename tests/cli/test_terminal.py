import json

import pytest

from molvae.cli import summaries
from molvae.cli.progress import progress
from molvae.cli.rejects import Rejects
from molvae.cli.reporting import Reporting
from molvae.cli.terminal import print_json, print_table, say
from molvae.data.tables.records import Row
from molvae.errors import InputError, Rejected, printable

# Colors, a title, a C1 control sequence, deletion, text that runs backwards, half a character, and
# ends of lines.
HOSTILE = "\x1b[31m \x1b]0;title\x07 \x9b2J \x7f \u202e \ud800 größe \N{TEST TUBE}\r\n\u2028Error"
SHOWN = (
    "\\x1b[31m \\x1b]0;title\\x07 \\x9b2J \\x7f \\u202e \\ud800 größe \N{TEST TUBE}"
    "\\r\\n\\u2028Error"
)


def harmless(text: str) -> bool:
    return all(letter.isprintable() or letter == "\n" for letter in text)


def test_what_a_terminal_could_obey_is_written_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert printable(HOSTILE) == SHOWN
    say(HOSTILE)
    print_table((HOSTILE, "b"), [(HOSTILE, 1)])
    found = capsys.readouterr()
    assert harmless(found.out)
    assert harmless(found.err)
    assert found.err == SHOWN + "\n"
    assert found.out.count("\\x1b") == 4
    assert found.out.count("\n") == 2


def test_json_brings_back_what_it_does_not_show(capsys: pytest.CaptureFixture[str]) -> None:
    value = {HOSTILE: [HOSTILE, 1.5, None]}
    print_json(value)
    text = capsys.readouterr().out
    assert harmless(text)
    assert "größe \N{TEST TUBE}" in text
    assert json.loads(text) == value


def test_name_from_a_model_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    summaries.print_molecules(
        [{"ID": "1", "SMILES": "CCO", HOSTILE: 1.0}], ["ID", "SMILES", HOSTILE]
    )
    text = capsys.readouterr().out
    assert harmless(text)
    assert text.endswith("CCO\n")


class _Found:
    """The result of a benchmark that names a stranger's model."""

    def to_json(self) -> str:
        return "{}"

    def table(self) -> list[str]:
        return ["control of", HOSTILE]


def _report_progress() -> None:
    with progress(HOSTILE) as report:
        report(1, HOSTILE)


def _reject() -> None:
    rejects = Rejects(None, strict=False)
    row = Row(HOSTILE, 2, HOSTILE, "", (HOSTILE,))
    rejects.add(row, Rejected("not a molecule", HOSTILE, field=HOSTILE))
    rejects.finish(quiet=False)


def _show_report() -> None:
    reporting = Reporting(None, "cpu", as_json=False, output=None, force=False, quiet=False)
    reporting.show(_Found(), notes=[HOSTILE])


CHANNELS = {
    "a message": lambda: say(f"{HOSTILE}: 3 rows"),
    "an error": lambda: say(InputError(f"{HOSTILE}: no rows")),
    "a table": lambda: print_table((HOSTILE,), [(HOSTILE,)], numbers=True),
    "JSON": lambda: print_json({HOSTILE: HOSTILE}),
    "progress": _report_progress,
    "rejected rows": _reject,
    "a report": _show_report,
}


@pytest.mark.parametrize("channel", CHANNELS)
def test_text_from_a_file_shows_no_line_of_its_own_in_any_channel(
    channel: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("molvae.cli.progress.SECONDS_BETWEEN_LINES", 0.0)
    CHANNELS[channel]()
    found = capsys.readouterr()
    text = found.out + found.err
    assert harmless(text)
    assert "\\u202e" in text
    assert not any(line.startswith("Error") for line in text.splitlines())


def test_the_reason_of_a_rejection_is_printable_wherever_it_is_written() -> None:
    assert str(Rejected("not a molecule", HOSTILE)) == f"not a molecule: {SHOWN}"
    assert str(InputError(HOSTILE)) == SHOWN
    assert str(InputError(HOSTILE, "  ^")) == f"{SHOWN}\n  ^"  # lines of our own stay
