"""Does `molvae score` tell molecules apart that a model was not trained on the kind of?

    .venv/bin/python benchmarks/scores.py [MODEL] [-n 500] [--seed 1] [--data DIR] [--dataset FILE]

Of each set, `-n` random molecules are scored with `druglike`, which was trained on ZINC-250k:

- ZINC: the test split of the model's own dataset, neither trained on nor compared with
- QM9: up to nine heavy atoms, far below
- peptides: known sequences of 3 to 30 residues, such as enkephalins, oxytocin, bradykinin
- macrocycles: ChEMBL molecules with a ring of at least 12 atoms
- ChEMBL: any
- mutated: ZINC test molecules with one SELFIES symbol replaced at random, and read again
- MOSES: its test split, which is of the same kind, ZINC's leads: the more alike, the better

A set's area under the ROC curve is the chance that one of its molecules is odder than one of ZINC:
0.5 tells nothing apart. Each figure stands there alone, one-sided, beside the distance that the
percentile goes by. Flagged are the shares beyond 99 % of the validation split, for any reason that
is certain (symbols, length, properties), and for either; of ZINC that is the false positive rate.
"at home" counts only the molecules without a certain reason. Molecules with unknown symbols have
no figures and count as flagged for certain.

DIR holds the tables, FILE what the model was trained on. Writes results/scores.json.
"""

import argparse
import csv
import gzip
import json
import os
import platform
import random
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from rdkit import Chem, rdBase

from molvae.chem.selfies import decode_canonical
from molvae.data.molecules import PreparedMolecule, standardize_and_measure
from molvae.dataset import MoleculeDataset
from molvae.errors import Rejected
from molvae.generation.predict import unfamiliar
from molvae.generation.score import Score, score, typicality_of
from molvae.generator import MoleculeGenerator

ROOT = Path(__file__).resolve().parent.parent
DATASET = ROOT / "work" / "druglike" / "dataset.safetensors"
ROWS = 40_000  # of ChEMBL that macrocycles are looked for in
MACROCYCLE = 12  # ring atoms
FIGURES = ("nll", "nll_per_symbol", "kl", "misreading", "percentile")
# Opioid, oxytocic, vasoactive, kinin, tachykinin, somatostatin, gastrin, immune, growth-factor and
# amyloid peptides and fragments, as they are known in the literature.
PEPTIDES = (
    "YGGFM YGGFL CYIQNCPLG CYFQNCPRG DRVYIHPF DRVYIHPFHL RPPGFSPFR KRPPGFSPFR RPKPQQFFGLM"
    " HKTDSFVGLM DMHDFFVGLM QHWSYGLRPG AGCKNFFWKTFTSC YPFF YPWF YPFP YPFPGPI YGGFLRRIRPKLKWDNQ"
    " YGGFMTSEKSQTPLVTL SYSMEHFRWGKPV QLYENKPRRPYIL DYMGWMDF QGPWLEEEEEAYGWMDF EHP TKPR RGDS"
    " GRGDSP GHK YIIKGVFWDPAC GPETLCGAELVDALQFVCGDRGFYF EYLLQ WHWLQL ELYENKPRRPYIL"
    " HSQGTFTSDYSKYLDSRRAQDFVQWLMNT FVNQHLCGSHLVEALYLVCGERGFFYTPKA VPDPR VYIHPF RVYIHPF GPR"
    " APGPR MRFA FMRF FLRF SKPPGTSS VQIVYK KLVFF LPFFD GNNQQNY KFFE IPI VPP IPP LKPNM YAGFL"
    " DRVYVHPF IKW AHK DSDPR AEDG KED"
).split()


class Found(NamedTuple):
    """The scores of a set of molecules, and which are unlike the training set for certain."""

    scores: list[Score]
    certain: np.ndarray  # (N,) bool


def main() -> None:
    """Score every set and write how well each tells itself from ZINC."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default="druglike")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--dataset", type=Path, default=DATASET)
    parser.add_argument("-n", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    generator = MoleculeGenerator.load(arguments.model)
    begun, report = time.process_time(), {}
    found = {}
    with rdBase.BlockLogs():
        for name, molecules in sets(generator, arguments):
            found[name] = Found(
                score(generator.model, molecules),
                np.array([bool(unfamiliar(generator.model, m)) for m in molecules]),
            )
            report[name] = judge(found[name], found["ZINC"])
            print(name, json.dumps(report[name]), flush=True)
    typicality = typicality_of(generator.model)
    result = {
        "command": f"benchmarks/scores.py -n {arguments.n} --seed {arguments.seed}",
        "model": generator.name,
        "compared with": typicality and [typicality.split, typicality.molecules],
        "codes": typicality and typicality.codes,
        "sets": report,
        "cpu seconds": round(time.process_time() - begun, 1),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("molvae", "rdkit", "selfies", "torch")},
    }
    path = ROOT / "benchmarks" / "results" / "scores.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(path)


def sets(
    generator: MoleculeGenerator, arguments: argparse.Namespace
) -> Iterator[tuple[str, list[PreparedMolecule]]]:
    """Yield each set that is there: ZINC first, since the others are compared with it."""
    n, data, chance = arguments.n, arguments.data, random.Random(arguments.seed)
    dataset = MoleculeDataset.load(arguments.dataset)
    rows = chance.sample(dataset.members("test").tolist(), n)
    words = [dataset.vocabulary.decode(dataset.molecule(row)) for row in rows]
    zinc = seen(generator, [decode_canonical(symbols) for symbols in words])
    yield "ZINC", zinc
    yield "QM9", seen(generator, chance.sample(column(data / "qm9.smi.gz", "\t"), n))
    folded = [Chem.MolToSmiles(Chem.MolFromSequence(word)) for word in PEPTIDES]
    yield "peptides", seen(generator, folded)
    chembl = chance.sample(column(data / "chembl" / "chembl_union.csv.gz", ","), ROWS)
    yield "macrocycles", seen(generator, [s for s in chembl if is_macrocycle(s)][:n])
    yield "ChEMBL", seen(generator, chembl[:n])
    symbols = generator.vocabulary.symbols
    mutated = [decode_canonical(replaced(m.symbols, symbols, chance)) for m in zinc]
    known = {m.smiles for m in zinc}
    yield "mutated", [m for m in seen(generator, mutated) if m.smiles not in known]
    moses = chance.sample(column(data / "moses" / "test.csv.gz", ","), n)
    yield "MOSES", seen(generator, moses)


def column(path: Path, delimiter: str) -> list[str]:
    """Return the first column of a table, without its header."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return [row[0] for row in csv.reader(file, delimiter=delimiter)][1:]


def seen(generator: MoleculeGenerator, texts: list[str]) -> list[PreparedMolecule]:
    """Return the molecules that the gate lets in."""
    found = standardize_and_measure(generator.standardization, generator.measured, texts)
    return [each for each in found if not isinstance(each, Rejected)]


def is_macrocycle(smiles: str) -> bool:
    """Tell whether a molecule has a large ring."""
    if len(smiles) < MACROCYCLE or (mol := Chem.MolFromSmiles(smiles)) is None:
        return False
    return any(len(ring) >= MACROCYCLE for ring in mol.GetRingInfo().AtomRings())


def replaced(symbols: list[str], others: tuple[str, ...], chance: random.Random) -> list[str]:
    """Return the symbols with one of them replaced by another."""
    changed = list(symbols)
    changed[chance.randrange(len(changed))] = chance.choice(others)
    return changed


def judge(found: Found, zinc: Found) -> dict[str, Any]:
    """Return how many of a set are flagged, and how well each figure tells it from ZINC."""
    certain = found.certain
    flagged = np.array([bool(score.ood) for score in found.scores])
    odd = np.array([(score.percentile or 0.0) > 99.0 for score in found.scores])
    home = [score for score, strange in zip(found.scores, certain, strict=True) if not strange]
    return {
        "molecules": len(found.scores),
        "scored": sum(score.elbo is not None for score in found.scores),
        "flagged": round(float(flagged.mean()), 4),
        "certain": round(float(certain.mean()), 4),
        "beyond 99 %": round(float(odd.mean()), 4),
        "AUC": {name: area(zinc.scores, found.scores, name) for name in FIGURES},
        "at home": {
            "molecules": len(home),
            "beyond 99 %": round(float(odd[~certain].mean()), 4) if home else None,
            "AUC": {name: area(zinc.scores, home, name) for name in FIGURES},
        },
    }


def figure(score: Score, name: str) -> float:
    """Return a figure: the larger, the odder."""
    return -score.elbo if name == "nll" else getattr(score, name)


def area(inside: list[Score], outside: list[Score], name: str) -> float | None:
    """Return the chance that a molecule outside is odder than one inside; equal counts half."""
    those, these = (
        np.array([figure(score, name) for score in scores if score.elbo is not None])
        for scores in (inside, outside)
    )
    if not len(these):
        return None
    above = (these[:, None] > those).mean() + (these[:, None] == those).mean() / 2
    return round(float(above), 4)


if __name__ == "__main__":
    main()
