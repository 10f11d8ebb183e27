"""A table of good molecules interleaved with malformed rows, and what is wrong with each.

    python -m tests.malformed 10000 10000 OUT.csv      writes OUT.csv and OUT.json

Every kind of row that a chemist's export or a stranger's file has broken a tool with: characters
that look like others, two records in a field, numbers that overflow, bonds and atoms that RDKit
reads in its own way, sizes that end a process, cells that Python takes for numbers. The reason is
known from how the row is made, not from what the code says of it.
"""

import csv
import io
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

HEADER = ("ID", "SMILES", "pIC50", "comment")
LABEL = "pIC50"
DRUGLIKE = Path(__file__).parents[1] / "datasets" / "druglike-10k.csv"


class Fault(NamedTuple):
    """One malformed row: where it begins, the column at fault, and the reason to be given.

    Attributes:
        kind: how it was made.
        row: physical line, from 1.
        field: "smiles", the label's name, or "" for the row as a whole.
        reason: without what was seen.
    """

    kind: str
    row: int
    field: str
    reason: str


class Kind(NamedTuple):
    """A way to spoil a row: the reason to be given, and the cells made of a good molecule."""

    reason: str
    field: str
    spoil: Callable[[str, Random], list[str]]


class Good(NamedTuple):
    """One good row: its molecule and its label, None when that is missing."""

    smiles: str
    label: float | None


class Malformed(NamedTuple):
    """A table as bytes, the rows at fault and the good ones, both in order."""

    content: bytes
    faults: list[Fault]
    good: list[Good]


def smiles(reason: str, *spellings: str) -> Kind:
    """Rows with one of these in the SMILES column."""
    return Kind(reason, "smiles", lambda good, random: [random.choice(spellings), "5.5", ""])


def altered(reason: str, alter: Callable[[str], str]) -> Kind:
    """Rows whose good molecule, which begins with a methyl group, was altered."""
    return Kind(reason, "smiles", lambda good, random: [alter(good), "5.5", ""])


def labelled(*cells: str) -> Kind:
    """Rows of a good molecule with one of these as the label."""
    spoil = lambda good, random: [good, random.choice(cells), ""]  # noqa: E731
    return Kind("not a number", LABEL, spoil)


def whole(reason: str, spoil: Callable[[str], list[str]]) -> Kind:
    """Rows that cannot be used as a whole, good molecule or not."""
    return Kind(reason, "", lambda good, random: spoil(good))


def ladder(rings: int) -> str:
    """Cyclobutane after cyclobutane, each sharing a bond with the next."""
    text = "C1CC2C1"
    for square in range(rings - 2):
        text += "C1C2" if square % 2 == 0 else "C2C1"
    return text + ("CC1" if rings % 2 else "CC2")


KINDS: dict[str, Kind] = {
    # Another molecule, or none, to a reader that does not look at the characters.
    "Cyrillic": altered("not SMILES characters", lambda good: "\u0421\u0421" + good[2:]),
    "Greek": altered("not SMILES characters", lambda good: good + "\u039f"),
    "full width": altered("not SMILES characters", lambda good: "\uff23" + good[1:]),
    "invisible": altered("not SMILES characters", lambda good: good[:2] + "\u200b" + good[2:]),
    "soft hyphen": altered("not SMILES characters", lambda good: good[:2] + "\u00ad" + good[2:]),
    "long dash": altered("not SMILES characters", lambda good: "C\u2013" + good),
    "second mark": altered("not SMILES characters", lambda good: "\ufeff\ufeff" + good),
    "NUL": altered("not SMILES characters", lambda good: good[:2] + "\0" + good[2:]),
    "escape": altered("not SMILES characters", lambda good: "\x1b[31m" + good),
    "no SMILES": smiles("not SMILES characters", "?", "C{C}", "CC|CO", "1,2-dichloroethane"),
    "spreadsheet": smiles("not SMILES characters", "=HYPERLINK(A1,B1)", "'CCO", "a;b", "50^C"),
    # Two records in one field: RDKit reads the first and calls the rest a name.
    "space": altered("more than one record", lambda good: f"{good} CCN"),
    "tab": altered("more than one record", lambda good: f"{good}\tCCN"),
    "hard space": altered("more than one record", lambda good: f"{good}\u00a0CCN"),
    "new line": altered("more than one record", lambda good: f"{good}\nCCN"),
    "line separator": altered("more than one record", lambda good: f"{good}\u2028CCN"),
    # The extension of CXSMILES: an atom that is a radical, a repeating unit.
    "radical": altered("unsupported extension", lambda good: f"{good} |^1:0|"),
    "polymer": altered("not a molecule", lambda good: f"{good} |Sg:n:0,1:n:ht|"),
    # Numbers that overflow into other molecules.
    "charge": smiles("number out of range", "[C+999999]", "[O+4294967297]", "[C++++++++++]"),
    "isotope": smiles("number out of range", "[1234CH4]", "C[99999999999CH3]"),
    "atom map": smiles("number out of range", "[CH3:1234567]C", "C[CH3:99999999999]"),
    "ring number": smiles("number out of range", "C%(100)CCCCC%(100)", "C%(65537)CC%(65537)"),
    # Atoms.
    "odd bracket": smiles("odd bracket atom", "[C@@@H](F)(Cl)Br", "[CH10]", "[C++-]", "[#6]"),
    "R group": smiles("odd bracket atom", "[R1]CC", "[R99]c1ccccc1", "[D3]C"),
    "dummy": altered("unknown atom", lambda good: "*" + good),
    "numbered dummy": altered("unknown atom", lambda good: "[2*]" + good),
    "no atom": smiles("no heavy atom", "[H][H]", "[H+]", "[2H][2H]", "[3H][H]"),
    "metal": smiles("cannot be written as SELFIES", "[Fe]", "C[Hg]C", "[Na]", "[U]", "C[As](C)C"),
    # Bonds.
    "any bond": altered("unsupported bond", lambda good: "C~" + good),
    "dative": smiles("unsupported bond", "N->[Fe]", "[Cu]<-N"),
    "quadruple": smiles("unsupported bond", "[Re]$[Re]", "[W]$[W]"),
    "aromatic chain": smiles("unsupported bond", "C:C", "O:C", "I:I"),
    # Grammar, valence, aromaticity.
    "open ring": altered("not a molecule", lambda good: f"{good}.C%97CCC"),
    "open branch": altered("not a molecule", lambda good: "C(" + good),
    "closed twice": altered("not a molecule", lambda good: good + ")"),
    "open bracket": altered("not a molecule", lambda good: good + ".[CH3"),
    "cut off": altered("not a molecule", lambda good: good + "="),
    "empty part": altered("not a molecule", lambda good: f"{good}..C"),
    "ring to itself": smiles("not a molecule", "C11", "C1C1", "C%1CC", "CC%"),
    "five bonds": altered("not a molecule", lambda good: f"{good}.C(C)(C)(C)(C)C"),
    "not aromatic": altered("not a molecule", lambda good: good + ".c1cccc1"),
    "reaction": altered("not a molecule", lambda good: f"{good}>>CCO"),
    "names": smiles("not a molecule", "aspirin", "C6H12O6", "InChI=1S/CH4/h1H4", "7732-18-5"),
    "missing": smiles("not a molecule", "nan", "NaN", "NA", "N/A", "None", "NULL", "-", "n.d."),
    "empty": smiles("empty", "", " ", "\t", "   "),
    # Sizes.
    "too long": altered("too long", lambda good: good.ljust(401, "C")),
    "killer": smiles("too long", "C" * 20_000, "C(" * 5_000 + "C" + ")" * 5_000),
    "too big": smiles("too many heavy atoms", "C" * 151, "CO" * 76, "c1ccccc1" * 26),
    "too many rings": smiles("too many rings", ladder(61), ladder(62)),
    "too many symbols": smiles("too many symbols", "C" * 129, "CCN" * 45),
    # Cells that Python's float takes, or that a spreadsheet writes.
    "not finite": labelled("inf", "-inf", "Infinity", "+inf", "1e400", "-1E999"),
    "locale": labelled("1,5", "1.234,5", "1'000", "6\u202f000", "\u0665", "\u00bd"),
    "Python": labelled("1_0", "True", "0x10", "1e", "1d5"),
    "words": labelled("active", ">10", "~6.5", "6.5 nM", "ND", "6.5 / 7", "6.5\t7", "--6"),
    # Rows.
    "latin-1 comment": whole("not UTF-8", lambda good: [good, "5.5", "caf\udce9"]),
    "latin-1 SMILES": whole("not UTF-8", lambda good: [good + "\udcb5", "5.5", ""]),
    "half a character": whole("not UTF-8", lambda good: [good, "5.5", "\udce2\udc82"]),
    "too many cells": whole("too many cells", lambda good: [good, "5.5", "", "surplus"]),
    "unquoted comma": whole("too many cells", lambda good: [good, "5", "5", "mine"]),
    "too few cells": Kind("empty", "smiles", lambda good, random: []),
}  # fmt: skip
GOOD_LABELS = {"6.25": 6.25, "-3": -3.0, "": None, " 7 ": 7.0, "1e-3": 0.001, "+.5": 0.5, "5.": 5.0}
GOOD_COMMENTS = ("", "", "", "measured twice", "one, two", 'said "so"', "two\nlines", "\u00b5M")


def make(molecules: Sequence[str], malformed: int, *, seed: int = 0) -> Malformed:
    """Interleave good molecules with malformed rows, every kind as often as any other.

    Args:
        molecules: distinct canonical SMILES; each becomes one good row.
        malformed: how many bad rows.
        seed: of the order and of the choices.
    """
    random = Random(seed)
    methyls = [molecule for molecule in molecules if molecule.startswith("CC")]
    kinds = (list(KINDS)[number % len(KINDS)] for number in range(malformed))
    order = [("", molecule) for molecule in molecules]
    order += [(kind, random.choice(methyls)) for kind in kinds]
    random.shuffle(order)
    made = Malformed(b",".join(name.encode() for name in HEADER) + b"\n", [], [])
    lines = [made.content]
    row = 2
    for number, (kind, molecule) in enumerate(order):
        if kind:
            reason, field, spoil = KINDS[kind]
            cells = spoil(molecule, random)
            made.faults.append(Fault(kind, row, field, reason))
        else:
            label = random.choice(list(GOOD_LABELS))
            cells = [molecule, label, random.choice(GOOD_COMMENTS)]
            made.good.append(Good(molecule, GOOD_LABELS[label]))
        lines.append(_line([f"row-{number}", *cells], random.choice(("\n", "\r\n"))))
        row += lines[-1].count(b"\n")
    return made._replace(content=b"".join(lines))


def _line(cells: Sequence[str], ending: str) -> bytes:
    """Return one record; a lone surrogate becomes the byte that no UTF-8 has."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=ending).writerow(cells)
    return text.getvalue().encode("utf-8", errors="surrogateescape")


def druglike(count: int) -> list[str]:
    """Return the first molecules of the table that ships with molvae."""
    with DRUGLIKE.open(newline="", encoding="utf-8") as file:
        return [row["SMILES"] for row, _ in zip(csv.DictReader(file), range(count), strict=False)]


def main() -> None:
    """Write the table and what is wrong with it."""
    good, malformed, path = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    made = make(druglike(good), malformed)
    path.write_bytes(made.content)
    expected = [fault._asdict() for fault in made.faults]
    path.with_suffix(".json").write_text(json.dumps(expected), encoding="utf-8")


if __name__ == "__main__":
    main()
