"""The switch between `chem/fast` and what RDKit and the selfies package compute themselves.

Nothing else imports `chem/fast`. At first use its functions are compared with those of the
installed RDKit and selfies on ten molecules. Where they agree, they are used. Where one differs,
none of them is used in this process: results are those of RDKit and selfies, and take longer.
"""

import warnings
from collections.abc import Iterator, Sequence
from functools import cache
from multiprocessing import parent_process
from typing import Any

import selfies
from rdkit import Chem, rdBase
from rdkit.Chem import QED, rdMolDescriptors

from molvae.chem.constraints import bonds_by_atom, constrained
from molvae.chem.fast import (
    druglikeness,
    environments,
    kekule,
    lipophilicity,
    ring_systems,
    rotatable,
    symbols,
)
from molvae.chem.fast.environments import Environments
from molvae.chem.fast.environments import kind_of as kind_of
from molvae.chem.fast.kekule import KekuleGraph
from molvae.chem.fast.kekule import write_smiles as write_smiles
from molvae.chem.fast.resonance import is_resonance_form as is_resonance_form
from molvae.chem.fast.ring_systems import NumberedSystem as NumberedSystem
from molvae.chem.fast.screens import Screen as Screen
from molvae.chem.fast.screens import asked as asked
from molvae.chem.fast.symbols import write_symbols as write_symbols
from molvae.errors import MolvaeWarning

# Canonical SMILES: rings of every kind, charges, halogens, amides, esters, sulfur, alerts of QED.
SELF_TEST = (
    "CC(=O)Oc1ccccc1C(=O)O",
    "Cn1ccc(=O)[nH]c1=O",
    "CC1(C)SC2CC(=O)N2C1C(=O)[O-]",
    "CN(C)S(=O)(=O)c1ccc(Cl)nc1",
    "N#Cc1cc([N+](=O)[O-])sc1Br",
    "CC(O)CNC(F)(F)F",
    "c1ccc2[nH]ccc2c1",
    "CCOC(=O)C1=CC(=O)C=CC1",
    "C[N+]1(C)C2CCC1C1(CC1)C2",
    "COP(=S)(ON=NCI)SC",
)


@cache
def is_fast() -> bool:
    """Return whether `chem/fast` is used; the first call in a process tests it.

    Warns:
        MolvaeWarning: when a function differs; worker processes leave that to their parent.
    """
    try:
        with rdBase.BlockLogs(), constrained(bonds_by_atom()):
            different = sorted({name for smiles in SELF_TEST for name in _differences(smiles)})
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as failure:
        different = [f"{type(failure).__name__} ({failure})"]
    if different and parent_process() is None:
        warnings.warn(
            f"molvae's fast chemistry is switched off: {', '.join(different)} differs from the"
            f" installed RDKit {rdBase.rdkitVersion}. Results are RDKit's own and take longer."
            " pip install --upgrade molvae",
            MolvaeWarning,
            stacklevel=2,
        )
    return not different


def _differences(smiles: str) -> Iterator[str]:
    """Yield the names of the fast functions that differ for a molecule."""
    ours, theirs = (Chem.MolFromSmiles(smiles) for _ in range(2))
    pairs: dict[str, tuple[Any, Any]] = {
        "LogP": (lipophilicity.log_p(ours), _log_p_of_rdkit(theirs)),
        "QED": (druglikeness.qed(ours), _qed_of_rdkit(theirs)),
        "RotB": (rotatable.rotatable_bonds(ours), _rotatable_bonds_of_rdkit(theirs)),
    }
    graph = kekule.read_smiles(smiles)
    if graph is not None:
        written = write_symbols(graph)
        derived = symbols.read_symbols(written) or graph
        other = graph._replace(atoms=["F", *graph.atoms[1:]])
        pairs["SELFIES"] = ("".join(written), selfies.encoder(smiles))
        pairs["SMILES"] = (write_smiles(derived), selfies.decoder("".join(written)))
        pairs["resonance"] = (is_resonance_form(other, ours), False)
    return (name for name, (our, their) in pairs.items() if our != their)


def _log_p_of_rdkit(mol: Chem.Mol) -> float:
    return float(rdMolDescriptors.CalcCrippenDescriptors(mol)[0])


def _qed_of_rdkit(mol: Chem.Mol) -> float:
    return float(QED.qed(mol))  # type: ignore[no-untyped-call]


def _rotatable_bonds_of_rdkit(mol: Chem.Mol) -> int:
    return int(rdMolDescriptors.CalcNumRotatableBonds(mol))


def log_p(mol: Chem.Mol) -> float:
    """Return the octanol-water partition coefficient, log10; RDKit's Crippen.MolLogP."""
    return lipophilicity.log_p(mol) if is_fast() else _log_p_of_rdkit(mol)


def rotatable_bonds(mol: Chem.Mol) -> int:
    """Count rotatable bonds; RDKit's CalcNumRotatableBonds, strict."""
    return rotatable.rotatable_bonds(mol) if is_fast() else _rotatable_bonds_of_rdkit(mol)


def qed(mol: Chem.Mol, *parts: float) -> float:
    """Return the quantitative estimate of drug-likeness, 0 to 1; RDKit's QED.qed.

    Args:
        mol: a sanitized molecule.
        parts: properties that QED is computed from, in the order of `druglikeness.PARTS`; where
            they are not given, they are computed.

    Raises:
        ValueError: for a molecule whose aromatic rings cannot be written with double bonds.
    """
    return druglikeness.qed(mol, *parts) if is_fast() else _qed_of_rdkit(mol)


def read_environments(mol: Chem.Mol) -> Environments | None:
    """Return a molecule's atom environments; None if RDKit must compute its properties."""
    return environments.environments(mol) if is_fast() else None


def numbered_systems(mol: Chem.Mol) -> list[NumberedSystem] | None:
    """Return keys of a molecule's ring systems; None if each has to be written as SMILES."""
    read = read_environments(mol)
    return None if read is None else ring_systems.numbered_systems(read)


def read_smiles(smiles: str) -> KekuleGraph | None:
    """Return a molecule as SMILES spells it, None for one that the selfies package must read."""
    return kekule.read_smiles(smiles) if is_fast() else None


def read_symbols(text: Sequence[str]) -> KekuleGraph | None:
    """Return the molecule that SELFIES symbols derive, None where the package must read them."""
    return symbols.read_symbols(text) if is_fast() else None
