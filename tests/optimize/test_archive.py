"""The state of a run survives any kill, and says what it cannot be read for."""

from pathlib import Path

import pytest

from molvae.errors import ArtifactError, UsageError
from molvae.optimize.archive import FILE, Archive, Batch, Proposal

GOAL = {"name": "IC50", "minimize": False}
SETTINGS = {"model": "abc", "method": "bayes", "like": "", "goals": [GOAL]}
ASKED = (Proposal("CCO", "prior"), Proposal("CCN", "interpolation", ("CC", "N")))
BATCH = Batch(ASKED, {"prior": 5, "interpolation": 7})


def filled(folder: Path) -> Archive:
    archive = Archive(folder, SETTINGS, seed=1)
    archive.ask(BATCH)
    archive.tell(["CCN"], [[0.25]])
    return archive


def test_a_run_is_read_again_as_it_was(tmp_path: Path) -> None:
    first = filled(tmp_path)
    again = Archive(tmp_path, SETTINGS)
    assert (again.calls, again.batches, again.seed) == (first.calls, [BATCH], 1)
    assert again.pending == ["CCO"]
    assert again.calls["CCN"].proposal.parents == ("CC", "N")
    assert (first.spent, again.spent) == (1, 1)


def test_what_nobody_asked_for_costs_no_call_and_later_values_count(tmp_path: Path) -> None:
    archive = filled(tmp_path)
    archive.tell(["c1ccccc1", "CCN"], [[0.5], [0.75]])
    assert archive.calls["c1ccccc1"][1:] == (Proposal("c1ccccc1", "told"), (0.5,), 0)
    assert (archive.calls["CCN"].values, archive.calls["CCN"].number) == ((0.75,), 1)
    assert archive.spent == 1


def test_a_kill_in_the_middle_of_a_line_costs_that_line_only(tmp_path: Path) -> None:
    filled(tmp_path)
    whole = (tmp_path / FILE).read_bytes()
    ends = [place + 1 for place, byte in enumerate(whole) if byte == ord("\n")]
    for size in (10, *(end + more for end in ends[:-1] for more in (-1, 0, 1)), len(whole) - 1):
        (tmp_path / FILE).write_bytes(whole[:size])
        again = Archive(tmp_path, SETTINGS, seed=1)
        kept = sum(end <= size for end in ends)
        assert (len(again.batches), len(again.calls)) == (int(kept > 1), int(kept > 2))
        assert (tmp_path / FILE).read_bytes() == whole[: ends[max(kept, 1) - 1]]


def test_numbers_that_are_no_numbers_survive(tmp_path: Path) -> None:
    archive = filled(tmp_path)
    archive.tell(["CCO"], [[float("nan")]])
    (value,) = Archive(tmp_path, SETTINGS).calls["CCO"].values
    assert value != value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "evolve"}, 'settings: method was "bayes" and is "evolve"'),
        ({"seed": 2}, "settings: seed was 1"),
        ({"goals": [GOAL | {"minimize": True}]}, "settings: minimize was false and is true"),
        ({"goals": [GOAL, GOAL]}, "settings: goals was "),
    ],
)
def test_a_folder_of_other_settings_is_refused(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    filled(tmp_path)
    with pytest.raises(UsageError, match=message):
        Archive(tmp_path, {**SETTINGS, **change}, seed=int(str(change.get("seed", 1))))


@pytest.mark.parametrize(
    ("line", "place"), [(b'{"a": 1}\n', 1), (b"[]\n", 1), (b"{\n", 3), (b'{"b": 1}\n', 3)]
)
def test_another_damage_is_named_with_its_line(tmp_path: Path, line: bytes, place: int) -> None:
    filled(tmp_path)
    lines = (tmp_path / FILE).read_bytes().splitlines(keepends=True)
    lines[place - 1] = line
    (tmp_path / FILE).write_bytes(b"".join(lines))
    with pytest.raises(ArtifactError, match=rf"{FILE}, line {place}: damaged"):
        Archive(tmp_path, SETTINGS)
    (tmp_path / FILE).write_bytes(b"".join(lines[: place - 1]))  # what the message advises
    Archive(tmp_path, SETTINGS)
