"""Does any string get past the chemistry's guards? Random SELFIES symbols, and mutated SMILES.

    .venv/bin/python benchmarks/fuzzing.py [--count 100000] [--only KIND] [-j 2] [--seed 0]

symbols: 1 to 100 symbols of the bundled model's vocabulary, each as likely, are decoded, examined
and measured as a draw of the model is, and decoded once more by the selfies package.
smiles: real SMILES, mutated one to five times (atoms exchanged; characters flipped, inserted,
deleted; pieces doubled, repeated, wrapped, spliced with another molecule's; rings and brackets of
odd numbers), go through the gate and are measured; what is kept goes through it again.

crashes: strings that took their process down or blocked it for a minute. untyped: exceptions other
than a refusal with its reason. wrong: decoded otherwise than by selfies, refused although every
string over these symbols is a molecule, or not kept as it is when it comes a second time.
Each string depends on its number and the seed alone. Writes results/fuzzing.json.
"""

import argparse
import json
import os
import platform
import random
import time
from collections import Counter
from collections.abc import Sequence
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import selfies

from molvae.checkpoint import FORMAT
from molvae.chem.candidates import Checks, decode_and_check
from molvae.chem.constraints import constrained
from molvae.chem.gate import validate
from molvae.chem.properties import measure
from molvae.chem.selfies import constraints, decode
from molvae.chem.smiles import canonicalize
from molvae.config import DEFAULT_PROPERTIES
from molvae.errors import Rejected
from molvae.files import store
from molvae.parallel.workers import Lost, map_chunks

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "molvae" / "weights" / "druglike.safetensors"
TABLE = ROOT / "datasets" / "druglike-10k.csv"
SHOWN = 20  # examples of each kind of defect that are written down
# Beside the table's druglike molecules: charges, isotopes, stereo, metals, many rings, mixtures.
ODD = """C[C@H](N)C(=O)O F/C=C/F [2H]C([2H])([2H])O C[N+](C)(C)CC([O-])=O [O-][n+]1ccccc1
c1cc2ccc3cccc4ccc(c1)c2c34 Cl[Pt](Cl)(N)N [Na+].[Cl-] OB(O)c1ccccc1 C[Si](C)(C)C c1cc[se]c1
C%12CCCCC%12 [13CH4] [Fe+2] CP(=O)(O)O OS(=O)(=O)O N#N [NH4+] C12C3C4C1C5C2C3C45 O=C=O
[H][H] *c1ccccc1 [C-]#[O+] C[S@](=O)CC N[C@@]1(C)CC[C@H]1F OC1=CC=C[CH]1 c1ccc2c(c1)[nH]c1ccccc12
""".split()
CHARACTERS = "BCNOPSFIHclnosbrp[]()=#$:/\\@+-%.0123456789*~"
STRANGE = "\0\t\n\r \"'{}<>&|;!?_^`aZz\x1b\x7f\u0421\u200b\u202e\ufeff\N{TEST TUBE}"


class Verdict(NamedTuple):
    """What became of a string: "kept" or the reason of its refusal, and what is wrong with it."""

    outcome: str
    wrong: str = ""


def main() -> None:
    """Fuzz, and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="of each kind")
    parser.add_argument("--only", choices=WORK)
    parser.add_argument("-j", "--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks/results/fuzzing.json")
    arguments = parser.parse_args()
    kinds = [arguments.only] if arguments.only else list(WORK)
    results = {
        kind: fuzz(kind, arguments.count, jobs=arguments.jobs, seed=arguments.seed)
        for kind in kinds
    }
    report = {
        "command": f"benchmarks/fuzzing.py --count {arguments.count} --seed {arguments.seed}"
        + (f" --only {arguments.only}" if arguments.only else ""),
        "results": results,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {p: version(p) for p in ("molvae", "rdkit", "selfies")},
    }
    text = json.dumps(report, indent=1)
    arguments.output.write_text(text + "\n", encoding="utf-8")
    print(text)


def fuzz(kind: str, count: int, *, jobs: int, seed: int) -> dict[str, Any]:
    """Put `count` strings through, and count what becomes of them."""
    outcomes: Counter[str] = Counter()
    defects: dict[str, list[str]] = {"crashes": [], "untyped": [], "wrong": []}
    tally = dict.fromkeys(defects, 0)
    begun = time.monotonic()
    work = partial(judge_all, kind, seed)
    for number, verdict in map_chunks(work, range(count), jobs=jobs, chunk_size=128):
        if isinstance(verdict, Lost):
            sort = "untyped" if verdict.reason == "worker failed" else "crashes"
            wrong = f"{verdict.reason}: {verdict.detail}"
        else:
            outcomes[verdict.outcome] += 1
            sort, wrong = "wrong", verdict.wrong
        if wrong:
            tally[sort] += 1
            defects[sort].append(f"{MAKE[kind](seed, number)!r}: {wrong}")
    return {
        "count": count,
        **tally,
        "outcomes": dict(outcomes.most_common()),
        "examples": {sort: found[:SHOWN] for sort, found in defects.items() if found},
        "per_second": round(count / (time.monotonic() - begun)),
        "jobs": jobs,
    }


def judge_all(kind: str, seed: int, numbers: list[int]) -> list[Verdict]:
    """Make the strings of these numbers and judge them: the work of a worker process."""
    return [WORK[kind](MAKE[kind](seed, number)) for number in numbers]


def random_symbols(seed: int, number: int) -> list[str]:
    """Return 1 to 100 symbols, each as likely as any other."""
    chance = random.Random(f"symbols {seed} {number}")
    return chance.choices(vocabulary(), k=chance.randint(1, 100))


def judge_symbols(symbols: Sequence[str]) -> Verdict:
    """Examine a string of symbols as a draw of the model is, and compare it with selfies."""
    found = decode_and_check(symbols, Checks(DEFAULT_PROPERTIES))
    with constrained(constraints()):
        theirs = selfies.decoder("".join(symbols))
    ours = decode(symbols)
    wrong = ""
    if ours != theirs and canonicalize(ours or "[H]") != canonicalize(theirs or "[H]"):
        wrong = f"decoded as {ours}, by selfies as {theirs}"
    if found.refusal in ("not SELFIES", "not a molecule"):
        wrong = f"{found.refusal}, although all symbols are in the constraint table"
    return Verdict(found.refusal or ("kept" if found.consistent else "kept, repaired"), wrong)


def mutated_smiles(seed: int, number: int) -> str:
    """Return a real SMILES after one to five mutations."""
    chance = random.Random(f"smiles {seed} {number}")
    text = real_smiles(chance)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 5))):
        begin = chance.randint(0, len(text))
        end = min(len(text), begin + chance.choice((1, 1, 1, 2, 3, 5, 10, 20)))
        before, piece, after = text[:begin], text[begin:end], text[end:]
        text = before + chance.choice(MUTATIONS)(piece, chance) + after
    return text


def real_smiles(chance: random.Random) -> str:
    return chance.choice(ODD if chance.random() < 0.2 else molecules())


def character(chance: random.Random) -> str:
    return chance.choice(STRANGE if chance.random() < 0.03 else CHARACTERS)


def odd_atom(chance: random.Random) -> str:
    """Return an atom in brackets, of numbers that nature has and others."""
    isotope = chance.choice(("", "", "", "", "", "2", "13", "0", "999", "1000"))
    element = chance.choice("C N O S P F Cl Br I B Si Se Na Fe U c n o s se * H X Zz".split())
    hydrogens = chance.choice(("", "", "", "H", "H", "H2", "H4", "H9", "H12"))
    mark = chance.choice(("", "", "", "", "", "@", "@@", "@TH1", "@SP3", "@OH30"))
    charge = chance.choice(("", "", "", "+", "-", "++", "+2", "-3", "+9", "+10", "-99", "+999999"))
    label = chance.choice(("", "", "", "", "", "", ":1", ":0", ":999999", ":1234567"))
    return f"[{isotope}{element}{mark}{hydrogens}{charge}{label}]"


GENTLE = (
    lambda piece, chance: chance.choice("CNOPSFIcnos") + piece[1:],
    lambda piece, chance: chance.choice("CNOPSFIcnos") + piece,
    lambda piece, chance: chance.choice(("(C)", "(=O)", "(F)", "C1CC1", "c1ccccc1", "#N")) + piece,
    lambda piece, chance: piece[1:],
)
MUTATIONS = (
    *GENTLE * 3,
    lambda piece, chance: character(chance) + piece[1:],
    lambda piece, chance: character(chance) + piece,
    lambda piece, chance: "",
    lambda piece, chance: piece + piece,
    lambda piece, chance: piece * chance.randint(2, 40),
    lambda piece, chance: piece[::-1],
    lambda piece, chance: f"({piece})",
    lambda piece, chance: f"[{piece}]",
    lambda piece, chance: odd_atom(chance),
    lambda piece, chance: piece + chance.choice("123456789"),
    lambda piece, chance: f"{piece}%{chance.randint(0, 120)}",
    lambda piece, chance: f"{piece}%({chance.randint(0, 12_000)})",
    lambda piece, chance: chance.choice(("=", "#", "$", ":", "/", "\\", "~", "->")) + piece,
    lambda piece, chance: f"{piece}.{real_smiles(chance)}.",
    lambda piece, chance: (other := real_smiles(chance))[chance.randint(0, len(other)) :],
)


def judge_smiles(text: str) -> Verdict:
    """Put a string through the gate and measure it; what is kept must be kept as it is."""
    try:
        kept = validate(text)
        measure(kept.mol, DEFAULT_PROPERTIES)
    except Rejected as rejected:
        return Verdict(rejected.reason)
    try:
        again = validate(kept.smiles)
    except Rejected as rejected:
        return Verdict("kept", f"{kept.smiles} is refused: {rejected}")
    changed = again.smiles != kept.smiles or again.symbols != kept.symbols
    return Verdict("kept", f"{kept.smiles} becomes {again.smiles}" if changed else "")


@cache
def vocabulary() -> tuple[str, ...]:
    return tuple(store.read_header(MODEL, kind="checkpoint", format=FORMAT)["symbols"])


@cache
def molecules() -> list[str]:
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    return [line.split(",")[1] for line in lines[1:]]


MAKE = {"symbols": random_symbols, "smiles": mutated_smiles}
WORK = {"symbols": judge_symbols, "smiles": judge_smiles}

if __name__ == "__main__":
    main()
