"""CXSMILES, SMILES with an extension between bars, read as SMILES.

RDKit reads the extension. Layers that change nothing are read: coordinates, labels that name the
atom, data, stereo. A layer that changes the molecule, or that RDKit skips, is refused by name:
without its extension a polymer would be cyclohexane, and a radical ethane.
"""

import re

from rdkit import Chem, rdBase

from molvae.chem.features import check_features
from molvae.chem.text import check_text
from molvae.errors import Rejected

MAX_EXTENSION = 50_000  # characters: coordinates of the largest molecule take 30 for each atom

_EXTENDED = re.compile(r"\s*([^\s|]+)[ \t]+(\|.*)", re.DOTALL)
_COORDINATES_AND_LABELS = re.compile(r"\([^()]*\)|\$[^$]*\$")
_LAYER = re.compile(r"(?:^|,)\s*([A-Za-z&^]+)")
# Layers that RDKit applies or that change nothing, but for what `check_features` refuses.
_READ = frozenset("c t ctu w wU wD a o & r ^ s u rb LN lp f atomProp Sg SgD SgH C H Z".split())
_REFUSED = {
    "m": "a bond to one of several atoms",
    "RG": "the members of an R group",
    "LOG": "the rules of an R group",
    "r": "relative stereo",  # where stereo is kept
}


def is_extended(text: str) -> bool:
    """Return whether a text is CXSMILES: it has a bar, which SMILES has not."""
    return "|" in text


def without_extension(text: str) -> str:
    """Return the SMILES of CXSMILES as it stands there, and any other text as it is."""
    found = _EXTENDED.fullmatch(text) if is_extended(text) else None
    return found[1] if found else text


def smiles_from_extended(text: str, max_length: int, *, stereo: bool) -> str:
    """Read CXSMILES with RDKit.

    Args:
        text: SMILES, white space, and an extension between bars.
        max_length: characters of the SMILES.
        stereo: as in `check_features`.

    Returns:
        RDKit's SMILES with the stereo of the extension, not yet standardized.

    Raises:
        Rejected: unsupported extension, or as `check_text` and `check_features` raise it.
    """
    found = _EXTENDED.fullmatch(text)
    if found is None or found[2].count("|") < 2:
        return check_text(text, max_length)  # which refuses the bar
    smiles, extension = check_text(found[1], max_length), found[2].strip()
    if extension.count("|") > 2 or not extension.endswith("|"):
        raise Rejected("more than one record", "text behind the extension between bars")
    if len(extension) > MAX_EXTENSION:
        detail = f"an extension of {len(extension):,} characters, at most {MAX_EXTENSION:,}"
        raise Rejected("too long", detail)
    _check_layers(extension, stereo=stereo)
    with rdBase.BlockLogs():
        mol = _parse(f"{smiles} {extension.encode('ascii', errors='replace').decode()}")
        plain = _parse(smiles)
        if plain is None:
            return smiles  # the cause is in the SMILES, and told by those who parse it
        if mol is None:
            raise Rejected("unsupported extension", f"RDKit does not read {_shown(extension)}")
        check_features(mol, stereo=stereo)
        written = Chem.MolToSmiles(mol)
        changed, without = _flat(mol), _flat(plain)
    if changed != without:
        detail = f"{_shown(extension)} makes {without} into {changed}"
        raise Rejected("unsupported extension", detail)
    return written


def _check_layers(extension: str, *, stereo: bool) -> None:
    rest = _COORDINATES_AND_LABELS.sub("", extension.strip("|"))
    for layer in _LAYER.findall(rest):
        if layer not in _READ or (stereo and layer == "r"):
            what = _REFUSED.get(layer, "a layer that is not known here")
            raise Rejected("unsupported extension", f"{what}: {layer} in {_shown(extension)}")


def _parse(text: str) -> Chem.Mol | None:
    parameters = Chem.SmilesParserParams()
    for switch, value in {"parseName": False, "strictCXSMILES": True}.items():
        setattr(parameters, switch, value)  # RDKit's type stubs are wrong here
    mol: Chem.Mol | None = Chem.MolFromSmiles(text, parameters)
    return mol


def _flat(mol: Chem.Mol) -> str:
    Chem.RemoveStereochemistry(mol)
    return str(Chem.MolToSmiles(mol))


def _shown(extension: str) -> str:
    shown = extension if len(extension) <= 40 else f"{extension[:39]}..."
    return ascii(shown)[1:-1]
