"""How fast is the gate, are its symbols those of the selfies package, is a molecule's key one?

    .venv/bin/python benchmarks/gate.py [--only PART] [--data FOLDER] [-n 1500] [--spell 2000]
                                        [--compare 110000] [--seed 1]

Times the gate in CPU seconds on `n` random rows of each table, against a straightforward chain of
the same calls: RDKit reads and writes, selfies encodes and decodes, RDKit reads and writes again.
Both run in turns, best of five. Then, on up to `--compare` random rows of each table, encodes and
decodes every accepted molecule by molvae and by the selfies package, and has RDKit confirm that
what the gate proves equal without it is equal. Last, writes `--spell` molecules of each table in
20 random ways (other orders of atoms, with and without aromatic bonds, all bonds or hydrogens
written) and counts those that do not come out of the gate as the same molecule.

FOLDER holds the tables of `TABLES`; those that are not there are left out, and without any of them
datasets/druglike-10k.csv is taken. Writes results/gate.json; `--only` replaces one part of it.
"""

import argparse
import csv
import gzip
import json
import os
import platform
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import selfies
from rdkit import Chem, rdBase

from molvae.chem.fast.kekule import read_smiles, write_smiles
from molvae.chem.fast.resonance import is_resonance_form
from molvae.chem.fast.symbols import read_symbols, write_symbols
from molvae.chem.gate import validate
from molvae.chem.smiles import DEFAULT_STANDARDIZATION, standardize
from molvae.chem.text import check_text
from molvae.errors import Rejected

ROOT = Path(__file__).resolve().parent.parent
REPEATS = 5


class Table(NamedTuple):
    """A table below the data folder, its column of SMILES, and what separates columns."""

    file: str
    column: int = 0
    separator: str = ","


TABLES = {
    "MOSES": Table("moses/train.csv.gz"),
    "ZINC-250k": Table("zinc/zinc250k.csv.gz"),
    "ChEMBL": Table("chembl/chembl_union.csv.gz"),
    "HIV": Table("labelled/hiv.csv.gz"),
    "PubChem": Table("hostile/pubchem100k.smi.gz", separator="\t"),
    "tricky": Table("hostile/tricky_valid_smiles.tsv.gz", 2, "\t"),
}
MIX = ("MOSES", "ZINC-250k", "ChEMBL")  # in equal parts
OWN = {"druglike-10k": Table("druglike-10k.csv", 1)}


def main() -> None:
    """Time, compare, spell, and write down all of it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", choices=("timing", "comparison", "spelling"))
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("-n", type=int, default=1500)
    parser.add_argument("--compare", type=int, default=110_000)
    parser.add_argument("--spell", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rdBase.DisableLog("rdApp.*")
    parts: dict[str, tuple[int, Callable[[Sequence[str]], dict[str, Any]]]] = {
        "timing": (arguments.n, timing),
        "spelling": (arguments.spell, partial(spelling, seed=arguments.seed)),
        "comparison": (arguments.compare, comparison),
    }
    found = {name: t for name, t in TABLES.items() if (arguments.data / t.file).is_file()}
    folder = arguments.data if found else ROOT / "datasets"
    target = ROOT / "benchmarks" / "results" / "gate.json"
    report = json.loads(target.read_text(encoding="utf-8")) if arguments.only else {}
    asked = [arguments.only] if arguments.only else list(parts)
    for part in asked:
        report[part] = provenance(part, parts[part][0], arguments.seed) | {"tables": {}}
    for name, table in (found or OWN).items():
        rows = shuffled(folder / table.file, table, arguments.seed)
        for part in asked:
            size, work = parts[part]
            report[part]["tables"][name] = work(rows[:size])
            print(name, part, json.dumps(report[part]["tables"][name]), flush=True)
    target.write_text(json.dumps(report | totals(report), indent=1) + "\n", encoding="utf-8")


def provenance(part: str, size: int, seed: int) -> dict[str, Any]:
    """Return what a part of the report was made with."""
    option = {"timing": "-n", "spelling": "--spell", "comparison": "--compare"}[part]
    return {
        "command": f"benchmarks/gate.py --only {part} {option} {size} --seed {seed}",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {
            "python": platform.python_version(),
            **{p: version(p) for p in ("molvae", "rdkit", "selfies", "numpy")},
        },
    }


def totals(report: dict[str, Any]) -> dict[str, Any]:
    """Return the figures over all tables; the rate is that of `MIX` in equal parts."""
    timed, spelled, compared = (
        report[part]["tables"] for part in ("timing", "spelling", "comparison")
    )
    mixed = [timed[name] for name in MIX if name in timed] or list(timed.values())
    sums = {key: sum(each[key] for each in compared.values()) for key in ("compared", "different")}
    sums |= {key: sum(each[key] for each in compared.values()) for key in ("proved", "disproved")}
    sums |= {key: sum(each[key] for each in spelled.values()) for key in ("spellings", "ambiguous")}
    return {
        "mix": ", ".join(name for name in MIX if name in timed),
        "mix_rows_per_second": round(1 / mean(1 / each["gate_rows_per_second"] for each in mixed)),
        "mix_ratio": round(
            sum(each["microseconds"]["straightforward"] for each in mixed)
            / sum(each["microseconds"]["gate"] for each in mixed),
            2,
        ),
        **sums,
    }


def shuffled(path: Path, table: Table, seed: int) -> list[str]:
    """Return a column of a table, in random order."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="") as lines:
        cells = csv.reader(lines, delimiter=table.separator)
        rows = [row[table.column].strip() for row in cells][1:]
    random.Random(seed).shuffle(rows)
    return rows


def timing(rows: Sequence[str]) -> dict[str, Any]:
    """Return CPU microseconds a row of the gate, of the straightforward chain, and of stages."""
    valid = [molecule for row in rows if (molecule := outcome(validate, row))]
    smiles = [molecule.smiles for molecule in valid]
    symbols = [molecule.symbols for molecule in valid]
    stages: dict[str, tuple[Callable[[Any], object], Sequence[Any]]] = {
        "gate": (partial(outcome, validate), rows),
        "straightforward": (straightforward, rows),
        "check the text": (partial(outcome, check_text), rows),
        "check the text, standardize": (partial(outcome, standardize), rows),
        "read SMILES": (read_smiles, smiles),
        "write symbols": (
            write_symbols,
            [graph for text in smiles if (graph := read_smiles(text))],
        ),
        "derive from symbols": (read_symbols, symbols),
        "RDKit: read": (Chem.MolFromSmiles, smiles),
        "RDKit: read, write": (canonical, smiles),
        "selfies: encode": (selfies.encoder, smiles),
        "selfies: decode": (selfies.decoder, ["".join(each) for each in symbols]),
    }
    best = dict.fromkeys(stages, float("inf"))
    for _ in range(REPEATS):
        for stage, (work, items) in stages.items():
            begun = time.process_time()
            for item in items:
                work(item)
            best[stage] = min(best[stage], time.process_time() - begun)
    each = {stage: 1e6 * seconds / len(rows) for stage, seconds in best.items()}
    return {
        "rows": len(rows),
        "accepted": len(valid),
        "microseconds": {stage: round(microseconds, 1) for stage, microseconds in each.items()},
        "gate_rows_per_second": round(1e6 / each["gate"]),
        "straightforward_rows_per_second": round(1e6 / each["straightforward"]),
        "ratio": round(each["straightforward"] / each["gate"], 2),
    }


def straightforward(row: str) -> str:
    """Return the symbols of a row as they are usually made and checked, "" for a failure."""
    mol = Chem.MolFromSmiles(row)
    if mol is None:
        return ""
    smiles = Chem.MolToSmiles(mol, isomericSmiles=False)
    try:
        symbols: str = selfies.encoder(smiles)
    except selfies.EncoderError:
        return ""
    decoded = Chem.MolFromSmiles(selfies.decoder(symbols))
    same = Chem.MolToSmiles(decoded) == Chem.MolToSmiles(Chem.MolFromSmiles(smiles))
    return symbols if same else ""


def outcome(function: Callable[[str], Any], row: str) -> Any:
    """Return what a function makes of a row, None for a refusal."""
    try:
        return function(row)
    except Rejected:
        return None


def comparison(rows: Sequence[str]) -> dict[str, int]:
    """Count what molvae and the selfies package say of the same molecules.

    Returns:
        rows; accepted by the standardization; compared: encoded and decoded both ways; different:
        of those, with other symbols or another spelling; left to the package; proved: equal to
        RDKit's molecule without its canonical SMILES; disproved: of those, with another one.
    """
    counts: Counter[str] = Counter(different=0, disproved=0)
    for smiles, mol in standardized(rows):
        counts["accepted"] += 1
        graph = read_smiles(smiles)
        if graph is None:
            counts["left to the package"] += 1
            continue
        symbols = write_symbols(graph)
        counts["compared"] += 1
        try:
            expected = selfies.encoder(smiles)
            decoded = selfies.decoder(expected)
        except (selfies.EncoderError, selfies.DecoderError):
            counts["different"] += 1
            continue
        derived = read_symbols(symbols)
        equal = derived is not None and write_smiles(derived) == decoded
        counts["different"] += not equal or "".join(symbols) != expected
        if derived is not None and is_resonance_form(derived, mol):
            counts["proved"] += 1
            once = canonical(decoded)
            counts["disproved"] += once != smiles and canonical(once) != smiles
    return {"rows": len(rows), **counts}


def spelling(rows: Sequence[str], seed: int) -> dict[str, int]:
    """Count the molecules that are another one when they are spelled in another way.

    Returns:
        molecules: that pass the gate; spellings: of them; ambiguous: molecules with a spelling that
        does not come out as the molecule that the row came out as.
    """
    counts: Counter[str] = Counter(ambiguous=0)
    for number, row in enumerate(rows):
        if outcome(validate, row) is None:
            continue
        smiles = outcome(standardize, row)[0]
        spellings = set(random_spellings(row, f"{seed}-{number}"))
        counts["molecules"] += 1
        counts["spellings"] += len(spellings)
        found = {(outcome(standardize, text) or [""])[0] for text in spellings}
        counts["ambiguous"] += found != {smiles}
    return dict(counts)


def random_spellings(smiles: str, seed: str) -> Iterator[str]:
    """Write a molecule, salts included, in 20 random ways that the gate's cap on length lets in."""
    numbers = random.Random(seed)
    for way in range(20):
        mol = Chem.MolFromSmiles(smiles)
        order = list(range(mol.GetNumAtoms()))
        numbers.shuffle(order)
        mol = Chem.RenumberAtoms(mol, order)
        kekule = way % 2 == 1
        if kekule:
            Chem.Kekulize(mol, clearAromaticFlags=True)
        text = Chem.MolToSmiles(
            mol,
            canonical=False,
            kekuleSmiles=kekule,
            allBondsExplicit=way % 5 == 0,
            allHsExplicit=way % 7 == 0,
        )
        if len(text) <= DEFAULT_STANDARDIZATION.max_length:
            yield text


def canonical(smiles: str) -> str:
    """Return RDKit's canonical SMILES, which a second pass may change."""
    return Chem.MolToSmiles(Chem.MolFromSmiles(smiles))


def standardized(rows: Sequence[str]) -> Iterator[tuple[str, Chem.Mol]]:
    """Yield the molecules that RDKit accepts."""
    for row in rows:
        if molecule := outcome(standardize, row):
            yield molecule


if __name__ == "__main__":
    main()
