"""What can go wrong, in words a chemist can act on.

    MolvaeError                 any failure of ours; the command line exits 1
    ├── UsageError              an invalid request: unknown name, empty range (2)
    │   └── ConfigError         a configuration value out of its range or unknown (2)
    ├── InputError              a file that cannot be used, with the path and row (3)
    ├── ArtifactError           a dataset or checkpoint that is damaged, foreign or too new (1)
    ├── ShortfallError          fewer molecules than asked for (4)
    └── Rejected                one molecule that cannot be used, with a named reason

Every message says what was found, where, and how to mend it. Names and molecules in it come from
files: it is `printable`.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import ClassVar


def printable(text: object) -> str:
    r"""Return text with everything escaped that is not plainly visible.

    A file may hold escape sequences that recolor, retitle or rewrite a terminal, line ends that
    forge a line, characters that reverse the text behind them, and halves of characters.

    >>> print(printable("a\x1b[31m\nb"))
    a\x1b[31m\nb
    """
    shown = str(text)
    if shown.isprintable():
        return shown
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in shown)


class MolvaeWarning(RuntimeWarning):
    """What a user of the command line or the library has to know, unlike warnings of libraries."""


class MolvaeError(Exception):
    """Any failure that molvae explains itself; `exit_code` is what the command line returns.

    Args:
        lines: of the message, most often one; each is made printable.
    """

    exit_code: ClassVar[int] = 1

    def __str__(self) -> str:
        """Return the message."""
        return "\n".join(map(printable, self.args))


class UsageError(MolvaeError):
    """An invalid request, such as an unknown property or an empty range."""

    exit_code = 2


class ConfigError(UsageError):
    """A configuration key that does not exist or a value outside its range."""


class InputError(MolvaeError):
    """An input file that cannot be read as what it should be."""

    exit_code = 3


class ArtifactError(MolvaeError):
    """A dataset or checkpoint file that is damaged, foreign, or written by a newer molvae."""


class ShortfallError(MolvaeError):
    """Fewer molecules were found than were asked for; what was found is kept."""

    exit_code = 4


class Rejected(MolvaeError):
    """One molecule that cannot be used.

    Args:
        reason: short and from a fixed set, so that rejections can be counted: "not a molecule".
        detail: what was seen in this one: "a branch is opened at character 17 and not closed".
        field: the column it came from, "smiles" or the name of a label.
    """

    def __init__(self, reason: str, detail: str = "", *, field: str = "smiles") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail
        self.field = field

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild_rejected, (self.reason, self.detail, self.field)


def _rebuild_rejected(reason: str, detail: str, field: str) -> Rejected:
    """Rebuild a rejection that crossed a process border (keyword-only arguments do not)."""
    return Rejected(reason, detail, field=field)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Name the nearest known word: `"; did you mean 'LogP'?"`, or nothing when none is near."""
    by_lower = {word.lower(): word for word in known}
    near = get_close_matches(name.lower(), by_lower, n=1)
    return f"; did you mean '{by_lower[near[0]]}'?" if near else ""
