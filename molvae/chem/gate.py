"""The gate: the checks that every string passes before a model is trained on it.

In this order, each step before those that cost more or rely on its result:

1. characters, length and numbers of the text, before RDKit sees it     `molvae.chem.text`
2. parse; largest fragment; neutralization; caps on atoms and rings;
   kinds of atoms and bonds; the canonical spelling's fixed point       `molvae.chem.smiles`
3. SELFIES symbols, all in the constraint table; the symbols decode
   to this molecule                                                     `molvae.chem.selfies`
4. each property in its own guard                                       `molvae.chem.properties`

The caps of the first step keep strings from RDKit that would end or block the process; the rest
costs milliseconds. RDKit can still be killed, so chemistry on foreign molecules runs in the
processes of `molvae.parallel.workers`.
"""

from typing import NamedTuple

from rdkit import Chem

from molvae.chem.selfies import encode_checked
from molvae.chem.smiles import DEFAULT_STANDARDIZATION, Standardization, standardize

REASONS = {
    "SELFIES, not SMILES": "symbols in brackets alone, which SMILES would read as another molecule",
    "empty": "nothing but white space",
    "too long": "more characters than the cap",
    "not SMILES characters": "a character that SMILES does not have, such as a look-alike",
    "more than one record": "a line end or white space inside: two fields, or none of SMILES",
    "odd bracket atom": "the text between [ and ] describes no single atom",
    "number out of range": "a charge, isotope, atom map or ring number that RDKit may misread",
    "unsupported extension": "a layer of CXSMILES that changes the molecule, or is unknown",
    "not a molecule": "RDKit refuses its syntax, valences or aromaticity",
    "no heavy atom": "nothing but hydrogen",
    "too many heavy atoms": "more than the cap, after the fragment is chosen",
    "too many rings": "more than the cap",
    "unknown atom": "a placeholder",
    "unsupported bond": "neither single, double, triple nor aromatic in a ring",
    "no stable spelling": "RDKit's canonical SMILES changes whenever it is read",
    "cannot be written as SELFIES": "selfies fails, or an atom is not in the constraint table",
    "SELFIES changes the molecule": "its symbols decode to another one",
    "property failed": "a calculator fails on it or gives no finite number",
}
"""Every reason why a string is `Rejected` here, in the order of the gate."""


class ValidMolecule(NamedTuple):
    """A molecule that passed the gate."""

    smiles: str  # canonical, the one spelling of this molecule
    mol: Chem.Mol  # parsed from it
    symbols: list[str]  # SELFIES symbols that decode to it


def validate(
    text: str, standardization: Standardization = DEFAULT_STANDARDIZATION
) -> ValidMolecule:
    """Check one string in the first three steps of the gate.

    Args:
        text: one field of a table or one line of a file.
        standardization: the switches and caps.

    Raises:
        Rejected: with one of `REASONS`.

    >>> validate("[Na+].[O-]C(=O)C").symbols
    ['[C]', '[C]', '[=Branch1]', '[C]', '[=O]', '[O]']
    """
    smiles, mol = standardize(text, standardization)
    return ValidMolecule(smiles, mol, encode_checked(smiles, mol))
