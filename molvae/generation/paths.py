"""Series of molecules: along a path between two codes, or along one property near one molecule.

Each place of a series is searched for, as `search` describes, and the best molecule stays.

Letters: N places, Z latent dimensions, P properties.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from molvae.arguments import MAX_SERIES, whole_number
from molvae.chem.cores import Core
from molvae.chem.properties import PROPERTIES
from molvae.chem.rings import rings_of
from molvae.chem.similarity import tanimoto
from molvae.data.molecules import PreparedMolecule
from molvae.errors import UsageError, did_you_mean
from molvae.generation.decode import Decoded
from molvae.generation.decorate import marked_in, rings_of_cores
from molvae.generation.model import LoadedModel
from molvae.generation.search import SEARCH, Found, Search, search_around
from molvae.model.latent import Posterior
from molvae.presets import SWEEP_GUIDANCE
from molvae.targets import Request, miss

PARALLEL = 1e-4  # radians from parallel or opposite: below, no great circle is defined
ENDS = (0.01, 0.99)  # levels of the training set between which a property is swept by default


class Step(NamedTuple):
    """One molecule of a series.

    Attributes:
        at: how far it is: the share of a path, 0 to 1, or the value asked for.
        molecule: the decoded molecule.
        tanimoto: its similarity to the molecule that the series was made from, or to each of two,
            by Morgan fingerprints of radius 2.
        noise: fraction of noise in its latent code.
        rare_rings: how many of the molecules decoded for this step have a ring system that is rare
            in training, for which they were refused.
    """

    at: float
    molecule: Decoded
    tanimoto: float | tuple[float, ...]
    noise: float
    rare_rings: int = 0

    @property
    def similarities(self) -> tuple[float, ...]:
        """The similarity to each molecule that the series was made from, one or two."""
        return self.tanimoto if isinstance(self.tanimoto, tuple) else (self.tanimoto,)


def interpolate(
    model: LoadedModel,
    ends: tuple[PreparedMolecule, PreparedMolecule],
    n: int,
    *,
    path: str = "spherical",
    request: Request,
    search: Search = SEARCH,
) -> list[Step]:
    """Return the molecules on a path between two molecules' codes.

    The decoder is given the properties of both ends, blended as the codes are. Between the ends,
    the consistent molecule most similar to both ends and nearest to the targets is chosen; the
    nearer end has more weight. Ends and earlier molecules are chosen only if there is no other.

    Args:
        model: the model.
        ends: with the properties `model.measured` as their values.
        n: molecules, both ends included; the ends are decoded from their codes.
        path: one of `PATHS`.
        request: properties to keep fixed on the whole path.
        search: how the molecules between are looked for.

    Raises:
        UsageError: for an invalid number or path.
        Rejected: for a symbol that the model does not know.
    """
    n = whole_number("n", n, 0, MAX_SERIES)
    if n < 2:
        raise UsageError(f"n = {n}: a path has two ends, ask for at least 2 molecules.")
    if (path := str(path)) not in PATHS:
        hint = did_you_mean(path, PATHS) or f"; known: {', '.join(PATHS)}."
        raise UsageError(f"unknown path '{path}'{hint}")
    (first, last), (narrow, wide) = model.encode([end.symbols for end in ends])
    shares = np.linspace(0.0, 1.0, n)
    along = [PATHS[path](first, last, share) for share in shares.tolist()]
    widths = [_linear(narrow, wide, share) for share in shares.tolist()]
    start, end = model.own_points(ends)
    points = start + shares[:, None] * (end - start)
    points = request.fill_in(points)
    codes = Posterior(torch.stack(along), torch.stack(widths))
    given = {system for each in ends for system in rings_of(each.smiles)}
    tried = search_around(model, codes, points, search, given_rings=given)
    met = {each.smiles for each in ends} | {tried[-1][0].molecule.smiles}
    steps = []
    for place, (share, written) in enumerate(zip(shares.tolist(), tried, strict=True)):
        chosen = _step(share, written[0], ends)
        if 0 < place < n - 1:
            new = [_step(share, each, ends) for each in written if each.is_new(met)]
            chosen = max(new, key=partial(_fitness, request), default=chosen)
        met.add(chosen.molecule.smiles)
        steps.append(chosen._replace(rare_rings=sum(each.rare_ring for each in written)))
    return steps


def sweep(
    model: LoadedModel,
    start: PreparedMolecule,
    name: str,
    values: Sequence[float],
    *,
    guidance: float = SWEEP_GUIDANCE,
    search: Search = SEARCH,
    cores: Sequence[Core] = (),
) -> list[Step]:
    """Vary one property of a molecule and keep the rest similar: a matched series.

    The decoder is given the molecule's other properties. Among the consistent molecules that are
    found for a value, the most similar one that has it stays: nearer than to the next value and
    than a quarter of a standard deviation. Where none has it, the nearest one stays.

    Args:
        model: the model.
        start: with the properties `model.measured` as its values.
        name: a property or numeric label, as the model spells it.
        values: asked for one after the other, in the property's unit; beyond the training range
            its nearest end is asked for.
        guidance: classifier-free guidance weight; see `sampling.sample`.
        search: how the molecules are looked for.
        cores: none, or one that every molecule contains; a place where none is found has no
            molecule.

    Raises:
        UsageError: for a class label, or no values.
        Rejected: for a symbol that the model does not know.
    """
    column = _column(model, name)
    if not len(values):
        raise UsageError(f"no values of {name} to sweep over.")
    found = model.encode([start.symbols])
    codes = Posterior(*(part.repeat(len(values), 1) for part in found))
    points = model.own_points([start]).repeat(len(values), axis=0)
    points[:, column] = values
    given = {*rings_of(start.smiles), *rings_of_cores(cores)}
    tried = search_around(
        model,
        codes,
        points,
        search,
        given_rings=given,
        cores=[marked_in(core, start.smiles) for core in cores],
        guidance=guidance,
    )
    apart = np.diff(np.unique(points[:, column])).min(initial=model.normalizer.scales[name] / 2)
    return [
        _nearest(name, float(value), float(apart) / 2, written, start)
        for value, written in zip(values, tried, strict=True)
    ]


def _nearest(
    name: str, value: float, tolerance: float, tried: Sequence[Found], start: PreparedMolecule
) -> Step:
    """Choose the molecule for one value of a property."""

    def gap(step: Step) -> float:
        got = step.molecule.value(name)
        return abs(got - value) if isinstance(got, float) else np.inf

    sound = [each for each in tried if each.sound] or tried[:1]
    refused = sum(each.rare_ring for each in tried)
    steps = [_step(value, each, (start,))._replace(rare_rings=refused) for each in sound]
    hits = [step for step in steps if gap(step) <= tolerance]
    if hits:
        return max(hits, key=lambda step: (step.tanimoto, -gap(step)))
    return min(steps, key=gap)


def sweep_values(
    model: LoadedModel,
    name: str,
    n: int,
    *,
    low: float | None = None,
    high: float | None = None,
) -> list[float]:
    """Return `n` evenly spaced values of a property; of a count, the whole numbers among them.

    Args:
        model: the model.
        name: a property or numeric label, as the model spells it.
        n: how many; whole numbers may be fewer.
        low: the first; None: what 1 % of the training set are below.
        high: the last; None: what 1 % of the training set are above.

    Raises:
        UsageError: for a class label, or an empty range.
    """
    _column(model, name)
    ends = [model.normalizer.quantile(name, np.array(level)) for level in ENDS]
    first = float(ends[0]) if low is None else low
    last = float(ends[1]) if high is None else high
    if n < 1 or not first <= last:
        raise UsageError(f"{n} values of {name} from {first:g} to {last:g}: an empty range.")
    values = np.linspace(first, last, n)
    if name in PROPERTIES and PROPERTIES[name].integer:
        values = np.unique(np.round(values))
    found: list[float] = values.tolist()
    return found


def _column(model: LoadedModel, name: str) -> int:
    normalizer = model.normalizer
    if name in normalizer.classes:
        raise UsageError(f"{normalizer.describe(name)}: has classes, and no values between them.")
    return normalizer.names.index(name)


def _fitness(request: Request, step: Step) -> float:
    """Return how similar a step is to both ends of its path, the nearer one counting more.

    A target that is missed by a standard deviation costs as much as all similarity brings.
    """
    first, last = step.similarities
    scales = request.normalizer.scales
    missed = [
        miss(step.molecule.value(name), wanted) / scales[name]
        for name, wanted in request.ranges.items()
    ]
    return (1.0 - step.at) * first + step.at * last - sum(missed)


def _step(at: float, tried: Found, near: Sequence[PreparedMolecule]) -> Step:
    first, *rest = (tanimoto(tried.molecule.smiles, other.smiles) for other in near)
    return Step(at, tried.molecule, (first, *rest) if rest else first, tried.noise)


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
