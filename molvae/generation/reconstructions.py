"""Molecules through a model and back: what the codes of given molecules are written as."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from molvae.checkpoint import Checkpoint
from molvae.data.molecules import PreparedMolecule
from molvae.generation.decoded import decode_all, own_points, tanimoto
from molvae.generation.encode import read


class Reconstruction(NamedTuple):
    """One molecule, and what came back.

    Attributes:
        smiles: of the molecule, canonical.
        written: what came back, canonical; "" where its symbols decode to no molecule.
        exact: it is the same molecule, as the training set spells both.
        tanimoto: their similarity by Morgan fingerprints of radius 2; 0 where nothing came back.
        consistent: SELFIES had nothing to repair in what came back.
    """

    smiles: str
    written: str
    exact: bool
    tanimoto: float
    consistent: bool


def reconstruct_all(
    checkpoint: Checkpoint, molecules: Sequence[PreparedMolecule], *, alone: bool = False
) -> list[Reconstruction]:
    """Encode molecules to their posterior means and write these back greedily.

    Args:
        checkpoint: the model.
        molecules: with the properties of `predictions.measured_by` as their values.
        alone: withhold the molecules' own properties from the decoder, so that the code alone has
            to tell what the molecule was.

    Raises:
        Rejected: for a symbol that the model does not know.
    """
    if not molecules:
        return []
    means = read(checkpoint, [molecule.symbols for molecule in molecules]).mean
    points = own_points(checkpoint, molecules)
    if alone:
        points = np.full_like(points, np.nan)
    return [
        Reconstruction(
            molecule.smiles,
            back.smiles,
            exact=back.identity == molecule.smiles,
            tanimoto=tanimoto(molecule.smiles, back.smiles),
            consistent=back.consistent,
        )
        for molecule, back in zip(molecules, decode_all(checkpoint, means, points), strict=True)
    ]
