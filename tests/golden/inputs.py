"""The tables that the golden commands read."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

DRUGLIKE = Path(__file__).parents[2] / "datasets" / "druglike-10k.csv"

# What tables of chemists bring: each row meets another branch of the checks.
MESSY = """\
Name,canonical_smiles,potency
aspirin,CC(=O)Oc1ccccc1C(=O)O,5.1
aspirin again,O=C(C)Oc1ccccc1C(O)=O,5.4
salt,CCN(CC)CC(=O)Nc1c(C)cccc1C.Cl,4.2
zwitterion,[NH3+]CC(=O)[O-],
acetate,CC(=O)[O-].[Na+],2
stereo,C[C@@H](C(=O)O)c1ccc2cc(OC)ccc2c1,6.7
isotope,[2H]c1ccccc1C(N)=O,3
open ring,C1CC,1
valence,CC(C)(C)(C)C,1
empty,,1
words,not a molecule,1
metal,[Na]CC[Pt],1
,c1ccc(CN2CCNCC2)cc1,seven
large,CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC(=O)OC,1
nitro,O=[N+]([O-])c1ccc(O)cc1,3.25
boron,OB(O)c1ccccc1,4
"""
TARGETS = """\
LogP,QED,mw
2.5,0.8..,
,..0.7,300
1..2,,350..400
,,
"""
LABELLED = ("ID", "SMILES", "potency", "activity", "part")


def write_inputs(folder: Path) -> None:
    """Write the tables that the commands read: a few rows each of the table that ships."""
    folder.mkdir(parents=True)
    with DRUGLIKE.open(newline="", encoding="utf-8") as file:
        rows = [row for row, _ in zip(csv.DictReader(file), range(600), strict=False)]
    names = ("ID", "SMILES", "LogP")
    _write(folder / "drugs.csv", list(rows[0]), [list(row.values()) for row in rows[:40]])
    _write(folder / "few.csv", names, ([row[name] for name in names] for row in rows[100:124]))
    _write(folder / "training.csv", ["SMILES"], ([row["SMILES"]] for row in rows[180:280]))
    _write(folder / "test.csv", ["SMILES"], ([row["SMILES"]] for row in rows[280:390]))
    generated = [[row["SMILES"]] for row in [*rows[240:300], *rows[240:250]]]
    _write(folder / "generated.csv", ["SMILES"], [*generated, ["C1CC"], [""]])
    _write(folder / "labelled.csv", LABELLED, map(_labelled, rows[300:600], range(300)))
    (folder / "messy.csv").write_text(MESSY, encoding="utf-8")
    (folder / "targets.csv").write_text(TARGETS, encoding="utf-8")
    (folder / "nothing.csv").write_text("SMILES\nC1CC\n", encoding="utf-8")


def _labelled(row: dict[str, str], number: int) -> list[str]:
    """Return a row with a number and a class that follow LogP, some unknown, and its split."""
    logp = float(row["LogP"])
    potency = "" if number % 7 == 3 else f"{7 - logp / 2:.2f}"
    activity = "" if number % 11 == 5 else "active" if logp < 2.6 else "inactive"
    part = "validation" if number % 5 == 0 else "test" if number % 10 == 1 else "train"
    return [row["ID"], row["SMILES"], potency, activity, part]


def _write(path: Path, names: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([names, *rows])
