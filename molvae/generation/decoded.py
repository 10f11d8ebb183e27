"""Latent codes written back as molecules, with all that can be told of each.

Letters: N molecules, Z latent dimensions, P properties.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from rdkit import Chem, DataStructs
from torch import Tensor

from molvae.checkpoint import Checkpoint
from molvae.chem.candidates import Checks, decode_and_check
from molvae.chem.properties import PROPERTIES
from molvae.chem.similarity import fingerprint
from molvae.data.molecules import PreparedMolecule
from molvae.generation.encode import Written, predict, read, standardization_of, write_codes
from molvae.generation.predict import measured_by
from molvae.generation.rejection import TOKENS, slot_random
from molvae.generation.results import predicted_cells
from molvae.normalizer import Reading
from molvae.targets import Wanted, choose_point


class Decoded(NamedTuple):
    """What one code was written as.

    Attributes:
        smiles: canonical; "" where the symbols decode to no molecule.
        identity: as the training set spells this molecule.
        consistent: SELFIES had nothing to repair, and the decoder ended the molecule itself.
        properties: measured, in their units, by name; NaN where there is no molecule.
        predicted: labels that cannot be computed from a structure, as the property head reads
            them off what was written.
        nll: -log p(x given z, c) in nats.
    """

    smiles: str
    identity: str
    consistent: bool
    properties: Mapping[str, float]
    predicted: Mapping[str, Reading]
    nll: float

    def value(self, name: str) -> Reading:
        """Return a property as measured, or a label as predicted."""
        return self.properties[name] if name in self.properties else self.predicted[name]

    def cells(self) -> dict[str, Any]:
        """Return all but the SMILES as cells of a table."""
        predicted = predicted_cells(self.predicted)
        return {**self.properties, **predicted, "consistent": self.consistent, "nll": self.nll}


def decode_all(
    checkpoint: Checkpoint,
    codes: Tensor,
    points: np.ndarray,
    *,
    temperature: float = 0.0,
    guidance: float = 1.0,
    noise: float = 0.0,
    seed: int = 0,
    slots: Sequence[int] = (),
) -> list[Decoded]:
    """Write each code as a molecule and look at it.

    Args:
        checkpoint: the model.
        codes: shape (N, Z).
        points: properties that the decoder is told, in their units, NaN = free, shape (N, P).
        temperature: 0 writes the likeliest tokens (greedy), without any randomness.
        guidance: how far to overstate the properties; see `sampling.sample`.
        noise: level of it in the codes, 0 to 1; see `latent`.
        seed: of all randomness.
        slots: a number for each code that its randomness depends on besides, so that a code is
            written the same in whatever company; none where the temperature is 0.
    """
    uniforms = None
    if temperature > 0.0:
        steps = checkpoint.provenance["longest"] + 1
        random = [slot_random(seed, slot, 0, TOKENS).random(steps) for slot in slots]
        uniforms = np.stack(random)
    written = write_codes(
        checkpoint,
        codes,
        points,
        uniforms=uniforms,
        temperature=temperature,
        guidance=guidance,
        noise=noise,
    )
    names = measured_by(checkpoint)
    checks = Checks(names, standardization=standardization_of(checkpoint))
    candidates = [decode_and_check(each.symbols, checks) for each in written]
    labels = _labels(checkpoint, written)
    return [
        Decoded(
            candidate.smiles,
            candidate.identity,
            candidate.consistent and each.ended,
            dict(zip(names, candidate.values or [float("nan")] * len(names), strict=True)),
            predicted,
            each.nll,
        )
        for each, candidate, predicted in zip(written, candidates, labels, strict=True)
    ]


def _labels(checkpoint: Checkpoint, written: Sequence[Written]) -> list[dict[str, Reading]]:
    """Return the labels of each molecule as the property head reads them, by name."""
    normalizer = checkpoint.normalizer
    labels = [name for name in normalizer.quantities if name not in PROPERTIES]
    if not labels:
        return [{} for _ in written]
    rows = predict(checkpoint, read(checkpoint, [each.symbols for each in written]).mean)
    by_column = [dict(zip(normalizer.names, row, strict=True)) for row in rows.tolist()]
    return [{name: normalizer.reading(row, name) for name in labels} for row in by_column]


def own_points(checkpoint: Checkpoint, molecules: Sequence[PreparedMolecule]) -> np.ndarray:
    """Return molecules' own measured properties, labels NaN, shape (N, P).

    Args:
        checkpoint: the model.
        molecules: with the properties of `predictions.measured_by` as their values.
    """
    names = checkpoint.normalizer.names
    measured = [names.index(name) for name in measured_by(checkpoint)]
    points = np.full((len(molecules), len(names)), np.nan)
    points[:, measured] = [molecule.values for molecule in molecules]
    return points


def with_targets(
    checkpoint: Checkpoint, points: np.ndarray, ranges: Mapping[str, Wanted]
) -> np.ndarray:
    """Return points (N, P) with the same targets in all of them.

    Args:
        checkpoint: the model.
        points: values in their units, NaN = free.
        ranges: from `MoleculeGenerator.ranges`; of a range, one value is taken for all.
    """
    fixed = choose_point(ranges, checkpoint.normalizer, np.random.default_rng(0))
    return np.where(np.isnan(fixed), points, fixed)


def tanimoto(first: str, second: str) -> float:
    """Return the similarity of two SMILES by Morgan fingerprints, 0 where one is empty.

    >>> tanimoto("CCO", "OCC"), tanimoto("CCO", "")
    (1.0, 0.0)
    """
    if not (first and second):
        return 0.0
    prints = [fingerprint(Chem.MolFromSmiles(smiles)) for smiles in (first, second)]
    return float(DataStructs.TanimotoSimilarity(*prints))
