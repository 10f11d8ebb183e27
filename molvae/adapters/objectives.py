"""Objectives out of molvae: measured properties, a model's predictions, closeness to targets.

from molvae.adapters.objectives import closeness

objective = closeness(generator, {"LogP": 2.5, "QED": (0.8, 1.0)})
objective(["CCO", "c1ccccc1O"])     # array of 2 numbers, NaN for a string that is no molecule
"""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import cast

from molvae.chem.properties import measure, resolve
from molvae.chem.smiles import as_smiles, parse
from molvae.data.molecules import known_to, standardize_and_measure
from molvae.errors import Rejected, UsageError
from molvae.generation.predict import predict_values
from molvae.generator import MoleculeGenerator
from molvae.normalizer import Reading
from molvae.optimize.objective import CountedObjective, Score
from molvae.targets import Targets

Readings = Mapping[str, Reading]  # property or label -> value


def measured(name: str, *, minimize: bool = False) -> CountedObjective:
    """Score molecules by a property of `PROPERTIES`, of each molecule as it is given.

    Args:
        name: of the property, or an alias such as RDKit's.
        minimize: for SA and other properties where lower is better.

    Raises:
        UsageError: for an unknown property, listing the known ones.
    """
    known = resolve(name).name
    return CountedObjective(partial(_measure_each, known), name=known, minimize=minimize)


def predicted(
    generator: MoleculeGenerator, name: str, *, minimize: bool = False
) -> CountedObjective:
    """Score molecules by the predictions of a model's property head.

    This covers labels such as a potency that cannot be computed. The head errs more on molecules
    unlike its training set, which an optimizer finds: check `Prediction.ood` of the results.

    Args:
        generator: the model.
        name: of a property, or of a label with numbers.
        minimize: for numbers where lower is better.

    Raises:
        UsageError: for a name the model does not know, or a label with classes.
    """
    known = generator.spell(name)
    if known in generator.normalizer.classes:
        words = ", ".join(generator.normalizer.classes[known])
        raise UsageError(f"{known} has the classes {words}: use closeness() to one of them.")

    def score(_: Readings, predictions: Readings) -> float:
        return cast(float, predictions[known])  # of no label with classes

    scorer = partial(_score_each, generator, score, True)
    return CountedObjective(scorer, name=f"predicted {known}", minimize=minimize)


def closeness(generator: MoleculeGenerator, targets: Targets) -> CountedObjective:
    """Score molecules by their distance to targets: 1 when all are met, towards 0 far away.

    The geometric mean over the targets of exp(-(miss / sd)^2 / 2), with sd the standard deviation
    of the model's training set: the Gaussians of GuacaMol's multi-property objectives (Brown 2019,
    https://doi.org/10.1021/acs.jcim.8b00839). Properties are measured on the molecule in the form
    that the model was trained on; labels are read by its property head.

    Args:
        generator: the model, for its labels and standard deviations.
        targets: property or label -> value, (low, high) or class, as in `generate`.

    Raises:
        UsageError: for no targets, or invalid targets.
    """
    request = generator.request(targets)
    if not request:
        raise UsageError("closeness to nothing: name at least one target, such as LogP=2.5.")
    by_head = not request.ranges.keys() <= set(generator.measured)

    def score(measurements: Readings, predictions: Readings) -> float:
        distance = request.distance({**predictions, **measurements})
        return math.exp(-0.5 * distance / len(request.ranges))

    scorer = partial(_score_each, generator, score, by_head)
    return CountedObjective(scorer, name=f"closeness to {', '.join(request.ranges)}")


def _measure_each(name: str, smiles: list[str]) -> list[Score]:
    return [_measure(name, text) for text in smiles]


def _measure(name: str, text: str) -> Score:
    try:
        return float(measure(parse(as_smiles(text)), [name])[0])
    except Rejected as rejected:
        return rejected


def _score_each(
    generator: MoleculeGenerator,
    score: Callable[[Readings, Readings], float],
    by_head: bool,
    smiles: list[str],
) -> list[Score]:
    """Score molecules by what is measured and, where asked for, by what the head predicts."""
    found = standardize_and_measure(generator.standardization, generator.measured, smiles)
    if by_head:
        found = [known_to(generator.vocabulary, each) for each in found]
    molecules = [each for each in found if not isinstance(each, Rejected)]
    predictions = iter(predict_values(generator.model, molecules) if by_head else ())
    scores: list[Score] = []
    for each in found:
        if isinstance(each, Rejected):
            scores.append(each)
            continue
        measurements = dict(zip(generator.measured, each.values, strict=True))
        scores.append(score(measurements, next(predictions, {})))
    return scores
