"""Does every row of a hostile table end as kept, merged or rejected, and is what is kept true?

    .venv/bin/python benchmarks/robustness.py [--data FOLDER] [--only TABLE] [--limit ROWS] [-j 2]

Each table goes through `molvae prepare` as a user would run it; its process, workers included, is
watched from outside. Then every row that was not rejected is read again without molvae: RDKit alone
parses the raw cell, takes its largest organic fragment, isotopes, charges and stereo away, and the
result must be a molecule of the dataset, which selfies and RDKit alone read. The other way round,
every molecule of the dataset must come from such a row. The table of malformed rows is made by
tests/malformed.py, and each of its faults must be reported once, in its place, with its reason.

FOLDER holds the tables of `TABLES`; those that are not there are left out. Each result goes into
results/robustness.json as soon as it is there, unless the run is limited.
"""

import argparse
import csv
import gzip
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import selfies
from rdkit import Chem, rdBase
from rdkit.Chem import rdMolDescriptors
from rdkit.Chem.MolStandardize import rdMolStandardize

from molvae.dataset import MoleculeDataset
from molvae.parallel.workers import Lost, map_chunks

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = 5  # rows shown of each kind of trouble
PASSES = 8  # over RDKit's canonical SMILES, which a second pass may change
MALFORMED = 10_000  # rows, among as many good ones


class Table(NamedTuple):
    """A table, its column of SMILES, and what is demanded of it.

    Attributes:
        file: below the data folder.
        column: that holds the SMILES.
        rows: at most so many of the first are taken; 0: all.
        share: of rows that must be kept or merged.
        memory: MiB that all processes together may take.
    """

    file: str
    column: int
    rows: int = 0
    share: float = 0.0
    memory: float = float("inf")


TABLES = {
    "invalid": Table("hostile/invalid_smiles.tsv.gz", 1),
    "tricky": Table("hostile/tricky_valid_smiles.tsv.gz", 2),
    "pubchem": Table("hostile/pubchem100k.smi.gz", 0),
    "chembl": Table("chembl/chembl_union.csv.gz", 0, 100_000, 0.95, 1500),
    "zinc": Table("zinc/zinc250k.csv.gz", 0, 0, 0.999),
}


class Watched(NamedTuple):
    """How a command ended and what it took.

    Attributes:
        code: its exit code.
        output: to stdout.
        errors: to stderr.
        seconds: by the clock.
        cpu_seconds: of all its processes.
        memory: MiB of all its processes at once, pages that they share counted once.
        largest: MiB of the largest process at its peak.
    """

    code: int
    output: str
    errors: str
    seconds: float
    cpu_seconds: float
    memory: float
    largest: float


def main() -> None:
    """Prepare every table, check it, and say what is demanded and what was found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--only", choices=("malformed", *TABLES), action="append")
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("-j", type=int, default=2)
    arguments = parser.parse_args()
    passed = True
    for key in arguments.only or ("malformed", *TABLES):
        if key in TABLES and not (arguments.data / TABLES[key].file).exists():
            print(f"{key}: {TABLES[key].file} is not there: left out")
            continue
        with tempfile.TemporaryDirectory() as name:
            if key == "malformed":
                result = malformed(Path(name), arguments.limit or MALFORMED, arguments.j)
            else:
                source = arguments.data / TABLES[key].file
                result = judge(TABLES[key], source, Path(name), arguments.limit, arguments.j)
        show(key, result)
        passed &= result["passed"]
        if not arguments.limit:
            write(key, result, arguments.j)
    sys.exit(0 if passed else 1)


def write(key: str, result: dict[str, Any], jobs: int) -> None:
    """Put one table's result among the committed ones."""
    target = Path(__file__).parent / "results" / "robustness.json"
    before = json.loads(target.read_text(encoding="utf-8")) if target.exists() else {}
    results = {**before.get("results", {}), key: result}
    report = {
        "command": f"benchmarks/robustness.py -j {jobs}",
        "results": {name: results[name] for name in ("malformed", *TABLES) if name in results},
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {name: version(name) for name in ("molvae", "rdkit", "selfies", "numpy")},
    }
    target.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(target)


def malformed(folder: Path, size: int, jobs: int) -> dict[str, Any]:
    """Prepare a table whose faults are known, and compare them one by one."""
    path = folder / "malformed.csv"
    subprocess.run(
        [sys.executable, "-m", "tests.malformed", str(size), str(size), str(path)],
        check=True,
        cwd=ROOT,
    )
    faults = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    options = ("--label", "pIC50", "--min-count", "1")
    watched, counts, rejects = prepare(path, folder, jobs, *options)
    expected = [(fault["row"], fault["field"], fault["reason"]) for fault in faults]
    reported = [(r["line"], r["field"], r["reason"]) for r in rejects]
    result = {
        **measured(watched, counts),
        "reported_as_expected": len(set(expected) & set(reported)),
        "reported_otherwise": sum((Counter(reported) - Counter(expected)).values()),
    }
    right = expected == reported and counts["kept"] == size
    # On a machine that others keep busy the clock says little; the processors' time is all that one
    # free core would need.
    soon = min(watched.seconds, watched.cpu_seconds) < 60
    result["passed"] = right and soon and watched.memory < 500
    return result


def judge(table: Table, source: Path, folder: Path, limit: int, jobs: int) -> dict[str, Any]:
    """Prepare a table, count its rows, and read all that was kept again without molvae."""
    path = folder / source.name
    shorten(source, path, limit or table.rows)
    watched, counts, rejects = prepare(path, folder, jobs)
    rejected = {reject["line"] for reject in rejects}
    result = measured(watched, counts)
    rows = counts["rows"]
    result["each_row_once"] = (
        rows == counts["kept"] + counts["merged"] + len(rejects)
        and len(rejected) == len(rejects)
        and rows == sum(1 for _ in raw_rows(path, table.column))
    )
    kept = read_dataset(folder / "out.molvae", jobs) if counts["kept"] else set()
    result["check"] = compare(raw_rows(path, table.column), rejected, kept, jobs)
    wrong = ("row_differs", "kept_without_a_row")
    result["passed"] = (
        result["each_row_once"]
        and watched.code in (0, 3)
        and "Traceback" not in watched.errors
        and not any(result["check"][name] for name in wrong)
        and result["kept_or_merged"] >= table.share * (not limit)
        and watched.memory < table.memory
    )
    return result


def shorten(source: Path, target: Path, rows: int) -> None:
    """Copy a table with its header and the first rows; these tables have a row a line."""
    with gzip.open(source, "rb") as whole, gzip.open(target, "wb", compresslevel=1) as part:
        part.writelines(islice(whole, rows + 1 if rows else None))


def prepare(
    path: Path, folder: Path, jobs: int, *options: str
) -> tuple[Watched, dict[str, Any], list[dict[str, Any]]]:
    """Run `molvae prepare`; return how it went, its tally, and the rows it left out."""
    target, listed = folder / "out.molvae", folder / "rejects.csv"
    listed.unlink(missing_ok=True)
    watched = watch(
        [
            *(sys.executable, "-m", "molvae", "prepare", str(path), "-o", str(target), "--force"),
            *("--rejects", str(listed), "--json", "-q", "-j", str(jobs), *options),
        ]
    )
    rejects = []
    if listed.exists():
        with listed.open(newline="", encoding="utf-8") as file:
            rejects = [
                {**row, "line": int(row["row"]), "reason": row["reason"].partition(":")[0]}
                for row in csv.DictReader(file)
            ]
    if watched.code == 0:
        return watched, json.loads(watched.output), rejects
    print(watched.errors, end="")
    counts = Counter(reject["reason"] for reject in rejects)
    return watched, dict(rows=len(rejects), kept=0, merged=0, rejected=counts), rejects


def watch(command: list[str]) -> Watched:
    """Run a command in a session of its own and look at its processes ten times a second.

    Workers are children of a server process, so the system's account of our children lacks them.
    """
    begun = time.perf_counter()
    seen: dict[int, Process] = {}
    memory = 0.0
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            command, stdout=output, stderr=errors, start_new_session=True, cwd=ROOT
        )
        while process.poll() is None:
            now = session(process.pid)
            seen |= now
            memory = max(memory, sum(one.memory for one in now.values()))
            time.sleep(0.1)
        seconds = time.perf_counter() - begun
        output.seek(0)
        errors.seek(0)
        cpu = sum(one.cpu_seconds for one in seen.values())
        largest = max(one.peak for one in seen.values())
        return Watched(
            process.returncode, output.read(), errors.read(), seconds, cpu, memory, largest
        )


class Process(NamedTuple):
    """One process as Linux accounts for it: MiB now, each shared page in parts; MiB at its peak."""

    memory: float
    peak: float
    cpu_seconds: float


def session(leader: int) -> dict[int, Process]:
    """Return the processes of a session by number."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.getsid(int(entry.name)) == leader:
                memory = entry.joinpath("smaps_rollup").read_text()
                peak = entry.joinpath("status").read_text()
                ticks = entry.joinpath("stat").read_text().rpartition(")")[2].split()[11:13]
                found[int(entry.name)] = Process(
                    int(memory.partition("\nPss:")[2].split()[0]) / 1024,
                    int(peak.partition("\nVmHWM:")[2].split()[0]) / 1024,
                    sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK"),
                )
        except (OSError, IndexError):  # it ended while we looked
            continue
    return found


def measured(watched: Watched, counts: dict[str, Any]) -> dict[str, Any]:
    """Return what became of the rows and what it took."""
    rows = counts["rows"]
    return {
        "rows": rows,
        "kept": counts["kept"],
        "merged": counts["merged"],
        "rejected": dict(counts["rejected"]),
        "kept_or_merged": (counts["kept"] + counts["merged"]) / max(rows, 1),
        "exit_code": watched.code,
        "seconds": round(watched.seconds, 1),
        "cpu_seconds": round(watched.cpu_seconds, 1),
        "rows_per_second": round(rows / watched.seconds),
        "rows_per_cpu_second": round(rows / watched.cpu_seconds),
        "load_of_the_machine": round(os.getloadavg()[1], 1),
        "peak_mib": round(watched.memory),
        "largest_process_mib": round(watched.largest),
    }


def raw_rows(path: Path, column: int) -> Iterator[tuple[int, str]]:
    """Yield the physical line and the SMILES cell of every row after the header."""
    opener = gzip.open if path.suffix == ".gz" else open
    separator = "," if ".csv" in path.name else "\t"
    with opener(path, "rt", encoding="utf-8", newline="") as file:
        rows = csv.reader(file, delimiter=separator)
        next(rows)
        line = rows.line_num + 1
        for cells in rows:
            if cells:
                yield line, cells[column] if column < len(cells) else ""
            line = rows.line_num + 1


def read_dataset(path: Path, jobs: int) -> set[str]:
    """Read every molecule of a dataset with selfies and RDKit; return canonical SMILES."""
    dataset = MoleculeDataset.load(path)
    texts = (
        "".join(dataset.vocabulary.decode(dataset.molecule(index))) for index in range(dataset.size)
    )
    return {smiles for _, smiles in map_chunks(read_symbols, texts, jobs=jobs)}


def read_symbols(texts: list[str]) -> list[str]:
    """Return the canonical SMILES of SELFIES strings."""
    with rdBase.BlockLogs():
        return [settled(Chem.MolFromSmiles(selfies.decoder(text))) for text in texts]


def compare(
    rows: Iterator[tuple[int, str]], rejected: set[int], kept: set[str], jobs: int
) -> dict[str, int]:
    """Read every row that was not rejected by RDKit alone, and find it in the dataset."""
    counts = dict.fromkeys(
        ("rows_compared", "same_smiles", "same_inchi", "row_differs", "not_read"), 0
    )
    found: set[str] = set()
    others: list[tuple[int, list[str]]] = []
    taken = ((line, text) for line, text in rows if line not in rejected)
    for (line, text), result in map_chunks(read_rows, taken, jobs=jobs, timeout=120):
        counts["rows_compared"] += 1
        if isinstance(result, Lost) or not result:
            counts["not_read"] += 1
            if counts["not_read"] <= EXAMPLES:
                print(f"  line {line}: {text!a}: not read by RDKit alone: {result}")
        elif same := kept.intersection(result):
            counts["same_smiles"] += 1
            found |= same
        else:
            others.append((line, result))
    # Two spellings may be one molecule all the same: the identifier of IUPAC decides.
    by_inchi = dict(inchis(sorted(kept), jobs)) if others else {}
    for line, result in others:
        if same := {by_inchi[name] for name, _ in inchis(result, 0) if name in by_inchi}:
            counts["same_inchi"] += 1
            found |= same
        else:
            counts["row_differs"] += 1
            if counts["row_differs"] <= EXAMPLES:
                print(f"  line {line}: not in the dataset as {result}")
    left = kept - found
    for smiles in sorted(left)[:EXAMPLES]:
        print(f"  {smiles}: kept, and no row is it")
    return {**counts, "kept_without_a_row": len(left)}


def inchis(smiles: list[str], jobs: int) -> list[tuple[str, str]]:
    """Return (InChI, SMILES) of molecules."""
    return [(name, text) for text, name in map_chunks(write_inchis, smiles, jobs=jobs) if name]


def write_inchis(smiles: list[str]) -> list[str]:
    """Return standard InChIs."""
    with rdBase.BlockLogs():
        return [Chem.MolToInchi(Chem.MolFromSmiles(text)) for text in smiles]


def read_rows(rows: list[tuple[int, str]]) -> list[list[str]]:
    """Return canonical SMILES of what each cell may come to; nothing for no molecule."""
    with rdBase.BlockLogs():
        return [plain(text) for _, text in rows]


def plain(text: str) -> list[str]:
    """Read one cell by RDKit alone.

    Of fragments with carbon, else of all, those with the most heavy atoms and then the highest
    mass; more than one when they tie.
    """
    mol = Chem.MolFromSmiles(text.strip())
    if mol is None:
        return []
    fragments = Chem.GetMolFrags(mol, asMols=True)
    organic = [one for one in fragments if any(a.GetSymbol() == "C" for a in one.GetAtoms())]
    ranks = {
        one: (one.GetNumHeavyAtoms(), round(rdMolDescriptors.CalcExactMolWt(one), 6))
        for one in organic or fragments
    }
    best = [one for one, rank in ranks.items() if rank == max(ranks.values())]
    return sorted({settled(neutral(one)) for one in best})


def neutral(mol: Chem.Mol) -> Chem.Mol:
    """Take isotopes, atom-map numbers, charges and stereo away."""
    for atom in mol.GetAtoms():
        atom.SetIsotope(0)
        atom.SetAtomMapNum(0)
    mol = rdMolStandardize.Uncharger().uncharge(Chem.RemoveHs(mol))
    Chem.RemoveStereochemistry(mol)
    return mol


def settled(mol: Chem.Mol) -> str:
    """Write canonical SMILES until it stays; of spellings that alternate, the smallest."""
    seen = [Chem.MolToSmiles(mol)]
    for _ in range(PASSES):
        again = Chem.MolFromSmiles(seen[-1])
        following = "" if again is None else Chem.MolToSmiles(again)
        if not following or following in seen:
            return min(seen[seen.index(following) :]) if following else seen[-1]
        seen.append(following)
    return seen[-1]


def show(key: str, result: dict[str, Any]) -> None:
    """Print one result."""
    print(f"{key}: {'passed' if result['passed'] else 'FAILED'}")
    for name, value in result.items():
        print(f"  {name}: {value}")


if __name__ == "__main__":
    main()
