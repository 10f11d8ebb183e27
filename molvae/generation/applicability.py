"""Whether a model applies to a molecule: how it differs from the training set, and by how much."""

from collections.abc import Sequence
from typing import NamedTuple

from rdkit import Chem

from molvae.chem.neighbors import nearest
from molvae.chem.similarity import fingerprints
from molvae.data.molecules import PreparedMolecule
from molvae.generation.model import LoadedModel


class Familiarity(NamedTuple):
    """How a molecule compares with the training set.

    Attributes:
        nearest: Tanimoto similarity (Morgan, radius 2, 1,024 bits) to the nearest training
            molecule; None where the model holds no fingerprints.
        ood: how the molecule differs from the training set, "" when it does not.
    """

    nearest: float | None
    ood: str


def familiarity(model: LoadedModel, molecules: Sequence[PreparedMolecule]) -> list[Familiarity]:
    """Compare molecules with the training set.

    Args:
        model: the model.
        molecules: with the properties `model.measured` as their values.
    """
    reasons = [_outside(model, molecule) for molecule in molecules]
    rule, training = model.applicability, model.checkpoint.fingerprints
    if rule is None or training is None or not molecules:
        return [Familiarity(None, "; ".join(each)) for each in reasons]
    packed = fingerprints([Chem.MolFromSmiles(molecule.smiles) for molecule in molecules])
    found = []
    for near, each in zip(nearest(packed, training)[0].tolist(), reasons, strict=True):
        if near < rule.limit:
            each.append(f"the nearest training molecule has similarity {near:.2f}")
        found.append(Familiarity(near, "; ".join(each)))
    return found


def _outside(model: LoadedModel, molecule: PreparedMolecule) -> list[str]:
    """Return how a molecule differs for certain from all of the training set.

    Latent distances are no help: with a few nats per molecule, unfamiliar molecules have codes
    among those of the training set.
    """
    normalizer, longest = model.normalizer, model.longest
    reasons = []
    unknown = model.vocabulary.unknown(molecule.symbols)
    if unknown:
        reasons.append(f"symbol unknown to the model: {', '.join(unknown)}")
    elif (length := len(molecule.symbols)) > longest:
        reasons.append(f"{length} symbols, the model knows up to {longest}")
    for name, value in zip(model.measured, molecule.values, strict=True):
        column = normalizer.names.index(name)
        low, high = normalizer.low[column], normalizer.high[column]
        if not low <= value <= high:
            reasons.append(f"{name} {value:.3g} is outside {low:.3g}..{high:.3g}")
    return reasons
