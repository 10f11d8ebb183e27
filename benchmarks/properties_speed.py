"""How much faster than RDKit's Python are our properties and filters, and are they the same?

    .venv/bin/python benchmarks/properties_speed.py [--data FOLDER] [-n 100000] [--timed 3000]
                                                    [--patterns 5000] [--seed 1]

Reads `n` distinct molecules of MOSES, ZINC-250k and ChEMBL, a third each, and compares QED,
LogP and rotatable bonds of all of them with RDKit's; filters, which are slow there, of `patterns`.
The last `timed` of each table are timed, ours and RDKit's in turn, in chunks, on
molecules of their own that nothing is known of yet, in CPU time of this process: that is the state
after some ten thousand molecules. RDKit is asked as its documentation does. What differs is
counted, shown and ends the run with an error. Writes benchmarks/results/properties_speed.json.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from gate import TABLES, shuffled
from moses_data import FOLDER, machine
from rdkit import Chem, rdBase
from rdkit.Chem import QED, Crippen, FilterCatalog, rdMolDescriptors

from molvae.chem.fast.druglikeness import qed
from molvae.chem.fast.lipophilicity import log_p
from molvae.chem.fast.rotatable import rotatable_bonds
from molvae.chem.filters import FILTERS
from molvae.chem.moses_filters import mcf_patterns

ROOT = Path(__file__).resolve().parents[1]
CHUNK = 100  # molecules of a turn
TOLERANCE = 1e-9
SETS = ("MOSES", "ZINC-250k", "ChEMBL")


class Pair(NamedTuple):
    """The same thing asked of us and of RDKit; slow ones are compared on fewer molecules."""

    ours: Callable[[Chem.Mol], Any]
    theirs: Callable[[Chem.Mol], Any]
    slow: bool = False


def main() -> None:
    """Compare, time, and write down both."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=FOLDER)
    parser.add_argument("-n", type=int, default=100_000)
    parser.add_argument("--timed", type=int, default=3000)
    parser.add_argument("--patterns", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rdBase.DisableLog("rdApp.*")
    report: dict[str, Any] = {
        "command": f"benchmarks/properties_speed.py -n {arguments.n} --timed {arguments.timed} "
        f"--patterns {arguments.patterns} --seed {arguments.seed}",
        "machine": machine(),
        "versions": {
            "python": platform.python_version(),
            **{package: version(package) for package in ("molvae", "rdkit", "numpy")},
        },
        "tables": {},
    }
    for name in SETS:
        table = TABLES[name]
        rows = list(dict.fromkeys(shuffled(arguments.data / table.file, table, arguments.seed)))
        rows = rows[: arguments.n // len(SETS)]
        timed = rows[-arguments.timed :]
        counts = compared(rows[: -arguments.timed], arguments.patterns // len(SETS))
        report["tables"][name] = {"compared": counts, "microseconds": timing(timed)}
        print(name, json.dumps(report["tables"][name]), flush=True)
    report["different"] = sum(
        each["different"] for t in report["tables"].values() for each in t["compared"].values()
    )
    report["together"] = {name: together(t["microseconds"]) for name, t in report["tables"].items()}
    print(json.dumps(report["together"]))
    target = ROOT / "benchmarks" / "results" / "properties_speed.json"
    target.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if report["different"]:
        raise SystemExit(f"{report['different']} values differ")


def pairs() -> dict[str, Pair]:
    """Return what is compared."""
    found = {
        "QED": Pair(qed, QED.qed),
        "LogP": Pair(log_p, Crippen.MolLogP),
        "RotB": Pair(rotatable_bonds, rdMolDescriptors.CalcNumRotatableBonds),
        "MCF": Pair(FILTERS["MCF"], first_mcf, slow=True),
    }
    for name in ("PAINS", "BRENK", "NIH"):
        found[name] = Pair(FILTERS[name], partial(first_alert, catalog(name)), slow=True)
    return found


def catalog(name: str) -> FilterCatalog.FilterCatalog:
    """Return a catalog of RDKit's."""
    parameters = FilterCatalog.FilterCatalogParams()
    parameters.AddCatalog(getattr(FilterCatalog.FilterCatalogParams.FilterCatalogs, name))
    return FilterCatalog.FilterCatalog(parameters)


def first_alert(known: FilterCatalog.FilterCatalog, mol: Chem.Mol) -> str | None:
    """Return the first entry of a catalog that a molecule matches."""
    match = known.GetFirstMatch(mol)
    return None if match is None else match.GetDescription()


def first_mcf(mol: Chem.Mol) -> str | None:
    """Return the first medicinal chemistry filter that a molecule fails, as MOSES looks for it."""
    whole = Chem.AddHs(mol)
    patterns = mcf_patterns()
    for name, query in zip(patterns.names, patterns.queries, strict=True):
        if whole.HasSubstructMatch(query):
            return name
    return None


def molecules(rows: Sequence[str]) -> Iterator[Chem.Mol]:
    """Yield the molecules that RDKit reads."""
    for row in rows:
        mol = Chem.MolFromSmiles(row)
        if mol is not None and mol.GetNumAtoms():
            yield mol


def compared(rows: Sequence[str], slow: int) -> dict[str, dict[str, int]]:
    """Count molecules and those of them where we and RDKit disagree, for each of `pairs`."""
    counts = {name: {"molecules": 0, "different": 0} for name in PAIRS}
    for position, row in enumerate(rows):
        for ours, theirs in zip(molecules([row]), molecules([row]), strict=True):
            for name, pair in PAIRS.items():
                if pair.slow and position >= slow:
                    continue
                first, second = outcome(pair.ours, ours), outcome(pair.theirs, theirs)
                counts[name]["molecules"] += 1
                if not same(first, second):
                    counts[name]["different"] += 1
                    print("differs", name, row, first, second, flush=True)
    return counts


def outcome(function: Callable[[Chem.Mol], Any], mol: Chem.Mol) -> Any:
    """Return a value, or the name of the error that came instead."""
    try:
        return function(mol)
    except (RuntimeError, ValueError, ArithmeticError) as error:
        return type(error).__name__


def same(first: Any, second: Any) -> bool:
    """Whether two outcomes are equal, numbers within the tolerance."""
    if isinstance(first, float) and isinstance(second, float):
        return abs(first - second) <= TOLERANCE
    return bool(first == second)


def timing(rows: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return CPU microseconds a molecule, ours, RDKit's and the ratio.

    Ours are asked one after the other of the same molecule, as `measure` does; the reading that
    they share is part of the first, QED.
    """
    spent = {name: [0.0, 0.0] for name in PAIRS}
    count = 0
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        count += sum(1 for _ in molecules(chunk))
        for side in (0, 1):
            for mol in list(molecules(chunk)):
                for name, pair in PAIRS.items():
                    begun = time.process_time()
                    outcome(pair[side], mol)
                    spent[name][side] += time.process_time() - begun
    each = {name: [1e6 * seconds / count for seconds in sides] for name, sides in spent.items()}
    return {
        name: {"ours": round(ours, 1), "rdkit": round(theirs, 1), "ratio": round(theirs / ours, 2)}
        for name, (ours, theirs) in each.items()
    }


def together(microseconds: dict[str, dict[str, float]]) -> dict[str, float]:
    """Return the ratio of QED and the alerts together; LogP and rotatable bonds are in QED."""
    wanted = ("QED", "PAINS", "BRENK", "MCF")
    ours, theirs = (sum(microseconds[n][side] for n in wanted) for side in ("ours", "rdkit"))
    return {"ours": round(ours, 1), "rdkit": round(theirs, 1), "ratio": round(theirs / ours, 2)}


PAIRS = pairs()

if __name__ == "__main__":
    main()
