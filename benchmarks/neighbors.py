#!/usr/bin/env python3
"""How similar the neighbors of a lead are: 25 leads each of four sets, eight neighbors of each.

    .venv/bin/python benchmarks/neighbors.py druglike --data FOLDER

FOLDER holds zinc/zinc250k.csv.gz (its JT-VAE test split is taken), chembl/chembl_union.csv.gz and
labelled/bace.csv.gz; the fourth set are the drugs of the tests. Leads are drawn with a seed among
the molecules whose symbols the model knows. A row that is missing counts as similarity 0.
"""

import argparse
import json
import os
import platform
import random
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas
import rdkit
import torch
from rdkit import Chem

from molvae.chem.rings import rings_of
from molvae.chem.similarity import murcko_scaffold
from molvae.data.molecules import PreparedMolecule, known_to, standardize_and_measure
from molvae.generator import MoleculeGenerator
from molvae.version import __version__
from tests.drugs import DRUGS

ROOT = Path(__file__).resolve().parent.parent
LEADS, ROWS, SEED = 25, 8, 1


def sets_of(data: Path) -> dict[str, list[str]]:
    """Return the molecules of each set."""
    zinc = pandas.read_csv(data / "zinc" / "zinc250k.csv.gz")
    chembl = pandas.read_csv(data / "chembl" / "chembl_union.csv.gz")
    bace = pandas.read_csv(data / "labelled" / "bace.csv.gz")
    column = next(name for name in bace if name.lower() in ("mol", "smiles"))
    return {
        "ZINC test": zinc[zinc.split_jtnn == "test"].smiles.str.strip().tolist(),
        "ChEMBL": chembl.iloc[:, 0].tolist(),
        "BACE": bace[column].tolist(),
        "drugs": [smiles for _, smiles in DRUGS],
    }


def leads_of(generator: MoleculeGenerator, smiles: Sequence[object]) -> list[PreparedMolecule]:
    """Draw leads that the model can encode."""
    texts = list(dict.fromkeys(text for text in smiles if isinstance(text, str)))
    random.Random(SEED).shuffle(texts)
    leads: list[PreparedMolecule] = []
    for text in texts:
        seen = standardize_and_measure(generator.standardization, generator.measured, [text])[0]
        found = known_to(generator.vocabulary, seen)
        if isinstance(found, PreparedMolecule) and len(found.symbols) < generator.model.longest:
            leads.append(found)
        if len(leads) == LEADS:
            break
    return leads


def measure(generator: MoleculeGenerator, lead: PreparedMolecule) -> dict[str, Any]:
    """Return what the neighbors of one lead are like."""
    begun, cpu = time.monotonic(), time.process_time()
    found = generator.neighbors(lead, ROWS, seed=SEED)
    seconds, cpu = time.monotonic() - begun, time.process_time() - cpu
    allowed = (generator.model.rings or frozenset()).union(rings_of(lead.smiles))
    own = murcko_scaffold(Chem.MolFromSmiles(lead.smiles))
    smiles = [each.molecule.smiles for each in found]
    similar = [round(each.tanimoto, 3) for each in found]
    return {
        "lead": lead.smiles,
        "neighbors": smiles,
        "tanimoto": similar + [0.0] * (ROWS - len(similar)),
        "odd_rings": sum(not allowed.issuperset(rings_of(each)) for each in smiles),
        "same_scaffold": sum(murcko_scaffold(Chem.MolFromSmiles(s)) == own for s in smiles),
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu, 2),
    }


def summary(leads: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return the figures of one set."""
    rows = ROWS * len(leads)
    return {
        "median_tanimoto": statistics.median(t for lead in leads for t in lead["tanimoto"]),
        "odd_rings": sum(lead["odd_rings"] for lead in leads) / rows,
        "same_scaffold": sum(lead["same_scaffold"] for lead in leads) / rows,
        "missing_rows": sum(ROWS - len(lead["neighbors"]) for lead in leads),
        "median_seconds": statistics.median(lead["seconds"] for lead in leads),
        "median_cpu_seconds": statistics.median(lead["cpu_seconds"] for lead in leads),
        "most_cpu_seconds": max(lead["cpu_seconds"] for lead in leads),
    }


def main() -> None:
    """Measure all sets and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default="druglike")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    generator = MoleculeGenerator.load(arguments.model)
    figures, leads = {}, {}
    for name, smiles in sets_of(arguments.data).items():
        leads[name] = [measure(generator, lead) for lead in leads_of(generator, smiles)]
        figures[name] = summary(leads[name])
        print(name, figures[name], flush=True)
    found = {
        "command": f"benchmarks/neighbors.py {arguments.model}",
        "model": generator.name,
        "leads": LEADS,
        "rows": ROWS,
        "seed": SEED,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, one process, busy with others",
        "versions": {
            "molvae": __version__,
            "rdkit": rdkit.__version__,
            "torch": torch.__version__,
        },
        "figures": figures,
        "each": leads,
    }
    path = ROOT / "benchmarks" / "results" / f"neighbors_{arguments.model}.json"
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(path)


if __name__ == "__main__":
    main()
