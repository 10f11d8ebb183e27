"""Compare molvae's oracles with those of guacamol 0.5.5 and PyTDC 1.1.15, molecule by molecule.

    python benchmarks/oracles.py molecules.smi -n 1000 --folder ENVIRONMENT

Builds an environment in the folder with the RDKit of this Python and the two packages, whose other
requirements (TensorFlow, transformers, ...) the oracles do not need: the modules that import those
are replaced by empty ones. Exits 1 where a value differs by more than 1e-6.
"""

import argparse
import json
import subprocess
import sys
import venv
from importlib.metadata import version
from pathlib import Path

import numpy as np
from moses_data import machine

from molvae.suites.oracles import GUACAMOL, PMO, oracle

PACKAGES = ["guacamol==0.5.5", "PyTDC==1.1.15"]
NEEDED = ["numpy", "scipy", "networkx", "scikit-learn", "packaging", "setuptools<81", "tqdm"]
TOLERANCE = 1e-6

# Run by the environment's Python: SMILES on stdin, {"suite name": [scores]} on stdout.
REFERENCE = r"""
import json, sys, types, warnings, importlib, importlib.util
from pathlib import Path
warnings.simplefilter("ignore")
from rdkit import RDLogger
RDLogger.DisableLog("rdApp.*")
smiles = sys.stdin.read().split()
found = {}

def empty(name, **content):
    module = types.ModuleType(name)
    module.__dict__.update(content)
    sys.modules[name] = module
    return module

import numpy, scipy
scipy.histogram = numpy.histogram  # which scipy had when guacamol was written
empty("guacamol.frechet_benchmark", FrechetBenchmark=None)
from guacamol.benchmark_suites import goal_directed_suite_v2, goal_directed_suite_trivial
for benchmark in [*goal_directed_suite_v2(), *goal_directed_suite_trivial()]:
    found["guacamol " + benchmark.name] = [float(x) for x in benchmark.objective.score_list(smiles)]

folder = Path(importlib.util.find_spec("guacamol").origin).parents[1] / "tdc"
empty("tdc").__path__ = [str(folder)]
nothing = lambda *arguments, **more: None
empty("tdc.utils", oracle_load=nothing, print_sys=nothing, install=nothing)
empty("tdc.chem_utils").__path__ = [str(folder / "chem_utils")]
empty("tdc.chem_utils.oracle").__path__ = [str(folder / "chem_utils" / "oracle")]
empty("rdkit.six", iteritems=None)
oracles = importlib.import_module("tdc.chem_utils.oracle.oracle")
for name in sys.argv[1].split(","):
    function = getattr(oracles, name)
    found["tdc " + name] = [float(function(each)) for each in smiles]
json.dump(found, sys.stdout)
"""
# Our name -> guacamol's, where it is not the same but for spelling.
OTHERS = {
    "isomers_c11h24": "C11H24",
    "isomers_c9h10n2o2pf2cl": "C9H10N2O2PF2Cl",
    "isomers_c7h8n2o2": "C7H8N2O2",
    "median1": "Median molecules 1",
    "median2": "Median molecules 2",
    "qed": "QED",
    "valsartan_smarts": "Valsartan SMARTS",
}


def build(folder: Path) -> Path:
    """Build the environment unless it is there; return its Python."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        pip = [str(python), "-m", "pip", "install", "-q"]
        subprocess.run([*pip, f"rdkit=={version('rdkit')}", *NEEDED], check=True)
        subprocess.run([*pip, "--no-deps", *PACKAGES], check=True)
    return python


def main() -> None:
    """Compare, and print the largest difference of each oracle."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("molecules", type=Path, help="SMILES, one a line")
    parser.add_argument("-n", type=int, default=1000)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("-o", type=Path, help="write the comparison as JSON")
    options = parser.parse_args()
    lines = options.molecules.read_text().split("\n")[: options.n]
    smiles = [line.split()[0] for line in lines if line.strip()]
    done = subprocess.run(
        [build(options.folder), "-c", REFERENCE, ",".join(PMO)],
        input="\n".join(smiles),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    reference = json.loads(done.stdout)
    table = {}
    for name in (*GUACAMOL, *(each for each in PMO if each not in GUACAMOL)):
        ours = oracle(name)(smiles)
        others = {f"guacamol {OTHERS.get(name, name.replace('_', ' '))}".lower(): "guacamol"}
        others |= {f"tdc {name}": "tdc"} if name in PMO else {}
        theirs = {key.lower(): values for key, values in reference.items()}
        table[name] = {
            package: float(np.abs(np.array(theirs[key]) - ours).max())
            for key, package in others.items()
        } | {"mean": float(ours.mean())}
        print(f"{name:28}", *(f"{key} {value:.1e}" for key, value in table[name].items()))
    if options.o:
        content = {
            "command": f"benchmarks/oracles.py {options.molecules.name} -n {options.n}",
            "machine": machine(),
            "versions": {p: version(p) for p in ("molvae", "rdkit")},
            "reference": PACKAGES,
            "molecules": len(smiles),
            "largest difference and mean score": table,
        }
        options.o.write_text(json.dumps(content, indent=2))
    worst = max(v for row in table.values() for key, v in row.items() if key != "mean")
    print(f"{len(smiles)} molecules, largest difference {worst:.1e}")
    sys.exit(worst > TOLERANCE)


if __name__ == "__main__":
    main()
