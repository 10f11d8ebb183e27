"""Series of molecules: along a path between two codes, or along one property at the same code.

Nothing is left to chance: each code is written greedily, so that a series comes out the same again.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from molvae.checkpoint import Checkpoint
from molvae.chem.properties import PROPERTIES
from molvae.codes import read
from molvae.data.molecules import Seen
from molvae.decoded import Decoded, decode_all, own_points, tanimoto, with_targets
from molvae.errors import UsageError, did_you_mean
from molvae.targets import Wanted

PARALLEL = 1e-4  # radians from parallel or opposite: below, no great circle is defined
ENDS = (0.01, 0.99)  # levels of the training set between which a property is swept by default


class Step(NamedTuple):
    """One molecule of a series.

    Attributes:
        at: how far it is: the share of a path, 0 to 1, or the value asked for.
        molecule: what was written there.
        tanimoto: its similarity to each molecule that the series was made from, by Morgan
            fingerprints of radius 2.
    """

    at: float
    molecule: Decoded
    tanimoto: tuple[float, ...]


def interpolate(
    checkpoint: Checkpoint,
    ends: tuple[Seen, Seen],
    n: int,
    *,
    path: str = "spherical",
    ranges: Mapping[str, Wanted] | None = None,
) -> list[Step]:
    """Write the molecules on a path between two molecules' codes.

    The decoder is told the properties of both ends, blended as the codes are.

    Args:
        checkpoint: the model.
        ends: with the properties of `predictions.measured_by` as their values.
        n: molecules, both ends included; at these stands what the model makes of their codes.
        path: one of `PATHS`.
        ranges: from `MoleculeGenerator.ranges`: properties that stay the same on all of the path.

    Raises:
        UsageError: for a number or a path that cannot be meant.
        Rejected: for a symbol that the model does not know.
    """
    if n < 2:
        raise UsageError(f"n = {n}: a path has two ends, ask for at least 2 molecules.")
    if path not in PATHS:
        hint = did_you_mean(path, PATHS) or f"; known: {', '.join(PATHS)}."
        raise UsageError(f"unknown path '{path}'{hint}")
    first, last = read(checkpoint, [end.symbols for end in ends]).mean
    shares = np.linspace(0.0, 1.0, n)
    codes = torch.stack([PATHS[path](first, last, share) for share in shares.tolist()])
    start, end = own_points(checkpoint, ends)
    points = start + shares[:, None] * (end - start)
    points = with_targets(checkpoint, points, ranges or {})
    return _steps(shares, decode_all(checkpoint, codes, points), ends)


def sweep(
    checkpoint: Checkpoint,
    start: Seen,
    name: str,
    values: Sequence[float],
    *,
    guidance: float = 1.0,
) -> list[Step]:
    """Change one property of a molecule, its code and its other properties held: a matched series.

    Args:
        checkpoint: the model.
        start: with the properties of `predictions.measured_by` as its values.
        name: a property or numeric label, as the model spells it.
        values: asked for one after the other, in the property's unit; beyond the training range
            its nearest end is asked for.
        guidance: how far to overstate what is asked for; see `sampling.sample`.

    Raises:
        UsageError: for a class label, or no values.
        Rejected: for a symbol that the model does not know.
    """
    column = _column(checkpoint, name)
    if not len(values):
        raise UsageError(f"no values of {name} to sweep over.")
    codes = read(checkpoint, [start.symbols]).mean.repeat(len(values), 1)
    points = own_points(checkpoint, [start]).repeat(len(values), axis=0)
    points[:, column] = values
    molecules = decode_all(checkpoint, codes, points, guidance=guidance)
    return _steps(values, molecules, (start,))


def sweep_values(
    checkpoint: Checkpoint,
    name: str,
    n: int,
    *,
    low: float | None = None,
    high: float | None = None,
) -> list[float]:
    """Return `n` evenly spaced values of a property; of a count, the whole numbers among them.

    Args:
        checkpoint: the model.
        name: a property or numeric label, as the model spells it.
        n: how many; whole numbers may be fewer.
        low: the first; None: what 1 % of the training set are below.
        high: the last; None: what 1 % of the training set are above.

    Raises:
        UsageError: for a class label, or an empty range.
    """
    _column(checkpoint, name)
    ends = [checkpoint.normalizer.quantile(name, np.array(level)) for level in ENDS]
    first = float(ends[0]) if low is None else low
    last = float(ends[1]) if high is None else high
    if n < 1 or not first <= last:
        raise UsageError(f"{n} values of {name} from {first:g} to {last:g}: an empty range.")
    values = np.linspace(first, last, n)
    if name in PROPERTIES and PROPERTIES[name].integer:
        values = np.unique(np.round(values))
    found: list[float] = values.tolist()
    return found


def _column(checkpoint: Checkpoint, name: str) -> int:
    normalizer = checkpoint.normalizer
    if name in normalizer.classes:
        raise UsageError(f"{normalizer.describe(name)}: has classes, and no values between them.")
    return normalizer.names.index(name)


def _steps(
    places: Sequence[float] | np.ndarray, molecules: Sequence[Decoded], near: Sequence[Seen]
) -> list[Step]:
    return [
        Step(float(at), each, tuple(tanimoto(each.smiles, other.smiles) for other in near))
        for at, each in zip(places, molecules, strict=True)
    ]


def _linear(first: Tensor, last: Tensor, share: float) -> Tensor:
    return (1.0 - share) * first + share * last


def _spherical(first: Tensor, last: Tensor, share: float) -> Tensor:
    """Go along the great circle, as codes of a Gaussian lie on a shell (White 2016).

    https://arxiv.org/abs/1609.04468. Where there is none, between codes of one direction, of
    opposite ones, or of no length, the straight line is taken.
    """
    lengths = first.norm() * last.norm()
    cosine = torch.dot(first, last).double() / lengths.double().clamp(min=1e-12)
    angle = torch.arccos(cosine.clamp(-1.0, 1.0))
    if float(torch.sin(angle)) < PARALLEL or float(lengths) == 0.0:
        return _linear(first, last, share)
    weights = torch.sin((1.0 - share) * angle), torch.sin(share * angle)
    blended = (weights[0] * first.double() + weights[1] * last.double()) / torch.sin(angle)
    return blended.to(first.dtype)


PATHS: dict[str, Callable[[Tensor, Tensor, float], Tensor]] = {
    "spherical": _spherical,
    "linear": _linear,
}
