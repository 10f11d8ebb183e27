"""Properties that a model can be asked for, each with its definition, unit, range and source.

All values are RDKit's own, so that they can be checked anywhere. QED, LogP and rotatable bonds are
computed several times faster than there; see `molvae.chem.speed`.
"""

import math
from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
from rdkit import Chem, RDConfig, rdBase
from rdkit.Chem import rdMolDescriptors

from molvae.chem.speed import log_p, qed, rotatable_bonds
from molvae.errors import Rejected, UsageError, did_you_mean

# What RDKit's calculators raise on molecules that they were not made for; QED, for one, fails on
# `O=Cc1nc=2=ccccc2s1`.
_FAILURES = (RuntimeError, ValueError, ArithmeticError, LookupError, TypeError)


class Property(NamedTuple):
    """One number that can be computed for every molecule."""

    name: str  # as written in targets and tables
    unit: str  # of the values, "" for a bare number
    definition: str  # what is computed, in one phrase
    function: Callable[..., float]  # molecule, and the values of the `parts` if any, to value
    source: str  # where the definition was published
    aliases: tuple[str, ...] = ()  # other names that mean this one, RDKit's among them
    low: float = 0.0  # smallest value that the definition allows
    high: float = math.inf  # largest value that the definition allows
    integer: bool = False  # values are counts
    parts: tuple[str, ...] = ()  # properties that this one is computed from

    def __str__(self) -> str:
        """Name with unit, as error messages list it: `TPSA (A^2)`."""
        return f"{self.name} ({self.unit})" if self.unit else self.name


def resolve(name: str) -> Property:
    """Find a property by its name or an alias, whatever the case.

    Raises:
        UsageError: for an unknown name; lists the known ones with their units.

    >>> resolve("MolLogP").name
    'LogP'
    """
    found = _by_any_name().get(name.strip().lower())
    if found is None:
        known = ", ".join(str(known) for known in PROPERTIES.values())
        hint = did_you_mean(name, PROPERTIES)
        raise UsageError(f"unknown property '{name}'{hint}. Known: {known}.")
    return found


def measure(mol: Chem.Mol, names: Sequence[str]) -> np.ndarray:
    """Compute properties of a molecule.

    Args:
        mol: a sanitized molecule.
        names: P names or aliases.

    Returns:
        Values in the units of `PROPERTIES`, shape (P,), float64, all finite.

    Raises:
        Rejected: "property failed" with the property as its field, when a calculator fails or
            gives no finite number.
        UsageError: for an unknown name.

    >>> [float(value) for value in measure(Chem.MolFromSmiles("CCO"), ["HeavyAtoms", "TPSA"])]
    [3.0, 20.23]
    """
    values = np.empty(len(names), dtype=np.float64)
    computed: dict[str, float] = {}
    with rdBase.BlockLogs():
        for index, name in enumerate(names):
            values[index] = _guarded(PROPERTIES.get(name) or resolve(name), mol, computed)
    return values


def _compute(wanted: Property, mol: Chem.Mol, computed: dict[str, float]) -> float:
    """Compute a property once: what is in `computed` is taken, what is new is added."""
    if wanted.name not in computed:
        parts = [_compute(PROPERTIES[name], mol, computed) for name in wanted.parts]
        computed[wanted.name] = float(wanted.function(mol, *parts))
    return computed[wanted.name]


def _guarded(wanted: Property, mol: Chem.Mol, computed: dict[str, float]) -> float:
    try:
        value = _compute(wanted, mol, computed)
    except _FAILURES as failure:
        detail = f"{wanted.name}: {' '.join(str(failure).split()) or type(failure).__name__}"
        raise Rejected("property failed", detail, field=wanted.name) from failure
    if not math.isfinite(value):
        raise Rejected("property failed", f"{wanted.name} is {value}", field=wanted.name)
    return value


@cache
def _by_any_name() -> dict[str, Property]:
    return {
        word.lower(): known
        for known in PROPERTIES.values()
        for word in (known.name, *known.aliases)
    }


def _synthetic_accessibility(mol: Chem.Mol) -> float:
    """Return RDKit's SA score, 1 to 10; NaN for a molecule without atoms."""
    score = _scorer().calculateScore(mol)
    return math.nan if score is None else float(score)


@cache
def _scorer() -> ModuleType:
    """Load the script that RDKit ships beside the package; not every RDKit can import it."""
    path = Path(RDConfig.RDContribDir) / "SA_Score" / "sascorer.py"
    specification = spec_from_file_location("molvae_sascorer", path)
    if specification is None or specification.loader is None or not path.is_file():
        raise UsageError(f"this RDKit lacks the SA score ({path}). pip install rdkit")
    scorer = module_from_spec(specification)
    specification.loader.exec_module(scorer)
    return scorer


# In the order in which help texts and tables show them.
_ALL = (
    Property(
        "MW",
        "Da",
        "average molecular weight with implicit hydrogens",
        rdMolDescriptors._CalcMolWt,  # what Descriptors.MolWt is, without its slow import
        source="standard atomic weights, as in RDKit Descriptors.MolWt",
        aliases=("MolWt", "MolecularWeight", "Weight"),
    ),
    Property(
        "LogP",
        "",
        "octanol-water partition coefficient, log10, estimated from atom types",
        log_p,
        source="Wildman & Crippen 1999, doi 10.1021/ci990307l",
        aliases=("MolLogP", "CLogP", "SLogP", "CrippenLogP"),
        low=-math.inf,
    ),
    Property(
        "TPSA",
        "A^2",
        "topological polar surface area of nitrogen and oxygen",
        rdMolDescriptors.CalcTPSA,
        source="Ertl 2000, doi 10.1021/jm000942e",
        aliases=("PSA", "CalcTPSA"),
    ),
    Property(
        "QED",
        "",
        "quantitative estimate of drug-likeness, mean weights",
        qed,
        source="Bickerton 2012, doi 10.1038/nchem.1243",
        aliases=("DrugLikeness",),
        high=1.0,
        parts=("MW", "LogP", "HBD", "TPSA", "RotB"),
    ),
    Property(
        "SA",
        "",
        "synthetic accessibility score; 1 is easy to make, 10 is hard",
        _synthetic_accessibility,
        source="Ertl & Schuffenhauer 2009, doi 10.1186/1758-2946-1-8",
        aliases=("SAScore", "SA_Score", "SAS"),
        low=1.0,
        high=10.0,
    ),
    Property(
        "HBD",
        "",
        "hydrogen-bond donors",
        rdMolDescriptors.CalcNumHBD,
        source="Gobbi & Poppinger 1998, as in RDKit Lipinski.NumHDonors",
        aliases=("NumHDonors", "HDonors", "NumHBD"),
        integer=True,
    ),
    Property(
        "HBA",
        "",
        "hydrogen-bond acceptors",
        rdMolDescriptors.CalcNumHBA,
        source="Gobbi & Poppinger 1998, as in RDKit Lipinski.NumHAcceptors",
        aliases=("NumHAcceptors", "HAcceptors", "NumHBA"),
        integer=True,
    ),
    Property(
        "RotB",
        "",
        "rotatable bonds, strict definition (amides and the like do not rotate)",
        rotatable_bonds,
        source="RDKit Descriptors.NumRotatableBonds",
        aliases=("NumRotatableBonds", "RotatableBonds", "RB"),
        integer=True,
    ),
    Property(
        "Rings",
        "",
        "rings of the smallest set of smallest rings",
        rdMolDescriptors.CalcNumRings,
        source="RDKit Descriptors.RingCount",
        aliases=("RingCount", "NumRings"),
        integer=True,
    ),
    Property(
        "AromaticRings",
        "",
        "rings whose bonds are all aromatic",
        rdMolDescriptors.CalcNumAromaticRings,
        source="RDKit Descriptors.NumAromaticRings",
        aliases=("NumAromaticRings",),
        integer=True,
    ),
    Property(
        "Fsp3",
        "",
        "share of carbon atoms that are sp3",
        rdMolDescriptors.CalcFractionCSP3,
        source="Lovering 2009, doi 10.1021/jm901241e",
        aliases=("FractionCSP3",),
        high=1.0,
    ),
    Property(
        "HeavyAtoms",
        "",
        "atoms other than hydrogen",
        Chem.Mol.GetNumHeavyAtoms,
        source="RDKit Descriptors.HeavyAtomCount",
        aliases=("HeavyAtomCount", "NumHeavyAtoms"),
        integer=True,
    ),
)
PROPERTIES: dict[str, Property] = {known.name: known for known in _ALL}
