"""What a run has asked and been told: a file to which lines are added, and nothing else.

The first line has the settings. Each other line is one batch of molecules that was asked for, or of
answers. A line is on the disk before the next step begins, so a kill costs at most the batch under
way, and reading the lines again leads to the same state.
"""

import json
import os
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from molvae.errors import ArtifactError, UsageError

FILE = "calls.jsonl"
FORMAT = 1
START, TOLD = "start", "told"  # operators of molecules that nobody asked for


class Proposal(NamedTuple):
    """A molecule that could be scored.

    Attributes:
        smiles: canonical.
        operator: that proposed it.
        parents: molecules that it was made from.
    """

    smiles: str
    operator: str
    parents: tuple[str, ...] = ()


class Call(NamedTuple):
    """A molecule that was scored.

    Attributes:
        number: 1, 2, ... in the order of the answers.
        proposal: the molecule, and where it comes from.
        values: of the goals; NaN where there is none.
        batch: in which it was asked for, from 1; 0 if it was not.
    """

    number: int
    proposal: Proposal
    values: tuple[float, ...]
    batch: int


class Scored(NamedTuple):
    """A molecule of a run.

    Attributes:
        call: the molecule, its values, and where it comes from.
        score: of all goals together, higher is better; NaN where a goal has no value.
        on_front: no other molecule is better in every goal.
        similarity: to `Wishes.like`; None without one.
    """

    call: Call
    score: float
    on_front: bool
    similarity: float | None

    @property
    def smiles(self) -> str:
        """The molecule."""
        return self.call.proposal.smiles


class Told(NamedTuple):
    """What became of answers: how many, how many not asked for, how many told before otherwise."""

    molecules: int
    unasked: int
    changed: int


class Batch(NamedTuple):
    """Molecules that were asked for together.

    Attributes:
        asked: these.
        proposed: operator -> molecules that it newly proposed.
        spare: proposals that were not asked for, the most promising first.
    """

    asked: tuple[Proposal, ...]
    proposed: Mapping[str, int]
    spare: tuple[Proposal, ...] = ()

    @classmethod
    def of(
        cls, asked: Sequence[Proposal], new: Sequence[Proposal], *, spare: Sequence[Proposal]
    ) -> "Batch":
        """Return a batch chosen among new and earlier proposals."""
        return cls(tuple(asked), Counter(each.operator for each in new), tuple(spare))


class Archive:
    """The state of a run: in a file, or without a folder in memory only.

    Args:
        folder: of the run.
        settings: of the run, plain values; a folder of other settings is refused.
        seed: of the run; None takes that of the folder, or draws one.

    Attributes:
        folder: as it was given.
        seed: of the run.
        calls: SMILES -> call, in the order of the answers.
        batches: that were asked for.
        asked: SMILES -> what was asked for, and the number of its batch, from 1.

    Raises:
        UsageError: for a folder of other settings, naming them.
        ArtifactError: for a file that is damaged before its last line.
    """

    def __init__(
        self, folder: Path | None, settings: Mapping[str, Any], *, seed: int | None = None
    ) -> None:
        self.calls: dict[str, Call] = {}
        self.batches: list[Batch] = []
        self.asked: dict[str, tuple[Proposal, int]] = {}
        self.folder = folder
        self._path = None if folder is None else folder / FILE
        lines = [] if self._path is None else whole_lines(self._path)
        drawn: int = lines[0]["seed"] if lines else secrets.randbelow(2**32)
        self.seed = drawn if seed is None else seed
        header = json.loads(json.dumps({**settings, "seed": self.seed}))
        if lines:
            _check(folder, lines[0], header)
        elif folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._write({"molvae": "optimization", "format": FORMAT, **header})
        for line in lines[1:]:
            self._apply(line)

    @property
    def pending(self) -> list[str]:
        """The molecules that were asked for and have no answer yet."""
        return [smiles for smiles in self.asked if smiles not in self.calls]

    @property
    def spent(self) -> int:
        """The calls: answers about molecules that were asked for."""
        return sum(call.batch > 0 for call in self.calls.values())

    def ask(self, batch: Batch) -> None:
        """Note molecules as asked for."""
        self._add({**batch._asdict(), "proposed": dict(batch.proposed)})

    def tell(
        self, smiles: Sequence[str], values: Sequence[Sequence[float]], *, operator: str = TOLD
    ) -> Told:
        """Note answers; a molecule that was told before has the later one.

        Args:
            smiles: N canonical SMILES.
            values: of the goals, shape (N, G).
            operator: of the molecules that nobody asked for.
        """
        rows = [[each, *map(float, row)] for each, row in zip(smiles, values, strict=True)]
        before = [self.calls.get(each) for each in smiles]
        self._add({"told": rows, "operator": operator})
        calls = [self.calls[each] for each in smiles]
        changed = [
            old is not None and not np.array_equal(old.values, row, equal_nan=True)
            for old, row in zip(before, values, strict=True)
        ]
        return Told(len(calls), sum(call.batch == 0 for call in calls), sum(changed))

    def _add(self, record: dict[str, Any]) -> None:
        self._write(record)
        self._apply(json.loads(json.dumps(record)))

    def _write(self, record: dict[str, Any]) -> None:
        if self._path is not None:
            with self._path.open("ab") as file:
                file.write(json.dumps(record).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())

    def _apply(self, record: dict[str, Any]) -> None:
        if "asked" in record:
            asked, spare = (
                tuple(Proposal(each, by, tuple(of)) for each, by, of in record[kind])
                for kind in ("asked", "spare")
            )
            self.batches.append(Batch(asked, record["proposed"], spare))
            self.asked |= {each.smiles: (each, len(self.batches)) for each in asked}
            return
        for smiles, *values in record["told"]:
            nobody = Proposal(smiles, record["operator"]), 0
            proposal, batch = self.asked.get(smiles, nobody)
            before = self.calls.get(smiles)
            number = len(self.calls) + 1 if before is None else before.number
            self.calls[smiles] = Call(number, proposal, tuple(values), batch)


def stored_settings(folder: Path) -> dict[str, Any]:
    """Return the settings of the run in a folder; nothing where there is none."""
    lines = whole_lines(folder / FILE)
    return lines[0] if lines else {}


def whole_lines(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a run's file, and cut off half a line that a kill has left.

    Raises:
        ArtifactError: for another damage, or a file of something else.
    """
    if not path.exists():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    lines = [_line(path, number, line) for number, line in enumerate(whole.splitlines(), 1)]
    if len(whole) < len(content):
        os.truncate(path, len(whole))
    return lines


def _line(path: Path, number: int, text: bytes) -> dict[str, Any]:
    try:
        line = json.loads(text)
        expected = {"molvae": "optimization", "format": FORMAT} if number == 1 else {}
        if expected.items() <= line.items() and (expected or line.keys() & {"asked", "told"}):
            return dict(line)
        error: Exception | str = "no line of this format"
    except (ValueError, AttributeError) as failure:
        error = failure
    raise ArtifactError(
        f"{path}, line {number}: damaged, or of another version ({error}). Without this line and"
        " those below it the run goes on from the line above."
    )


def _check(folder: Path | None, header: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """Refuse a folder of other settings."""
    others = list(_differences("settings", header, settings))
    if others:
        raise UsageError(
            f"{folder}: a run of other settings: {'; '.join(others)}. Name another folder with"
            " --state, or give the same settings."
        )


def _differences(name: str, was: Any, now: Any) -> Iterator[str]:
    """Yield what differs, each value under its own name: `minimize was false and is true`."""
    if isinstance(was, Mapping) and isinstance(now, Mapping):
        for key, value in now.items():
            yield from _differences(key, was.get(key), value)
    elif name == "goals" and was and len(was) == len(now):
        for each, other in zip(was, now, strict=True):
            yield from _differences("goal", each, other)
    elif was != now:
        yield f"{name} was {json.dumps(was)} and is {json.dumps(now)}"
