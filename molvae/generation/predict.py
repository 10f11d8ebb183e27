"""What a model's property head says of molecules, and whether it is at home with them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from molvae.checkpoint import Checkpoint
from molvae.chem.properties import PROPERTIES
from molvae.data.molecules import PreparedMolecule
from molvae.errors import ArtifactError
from molvae.generation.encode import predict, read
from molvae.normalizer import Reading


class Prediction(NamedTuple):
    """One molecule, as a model sees it.

    Attributes:
        values: by property or label: a number in its unit, or how much speaks for each class of a
            class label, about 0 to 1. Empty where the molecule has symbols that the model lacks.
        ood: why the model is not at home with it (out of distribution), "" when it is. On such
            molecules the errors were two to four times those that are stated for held-out ones.
    """

    values: Mapping[str, Reading]
    ood: str


def measured_by(checkpoint: Checkpoint) -> tuple[str, ...]:
    """Return the model's properties that can be computed from a structure."""
    return tuple(name for name in checkpoint.normalizer.names if name in PROPERTIES)


def stated_errors(checkpoint: Checkpoint) -> dict[str, dict[str, float | None]]:
    """Return how far the head was from the truth on molecules held out of training.

    Returns:
        By property or label, in its unit: what `molvae.train.readings` found. Of a model from
        before that was stored, `molecules` and `mae` alone; nothing where nothing is known.

    Raises:
        ArtifactError: when the header, which may come from anywhere, holds something else.
    """
    provenance, normalizer = checkpoint.provenance, checkpoint.normalizer
    try:
        if "head" in provenance:
            told = provenance["head"]["errors"].items()
            return {name: {key: _figure(errors[key]) for key in errors} for name, errors in told}
        health = provenance.get("health", {})
        errors = zip(
            normalizer.names, health.get("property_mae", ()), normalizer.scale, strict=False
        )
        return {
            name: {"molecules": health["molecules"], "mae": float(error * scale)}
            for name, error, scale in errors
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"the model is damaged: its stated errors: {error}") from error


def _figure(value: Any) -> float | None:
    return None if value is None else float(value)


def predict_all(checkpoint: Checkpoint, molecules: Sequence[PreparedMolecule]) -> list[Prediction]:
    """Read the properties and labels of molecules off their latent codes.

    Args:
        checkpoint: the model.
        molecules: with the properties of `measured_by` as their values.
    """
    normalizer = checkpoint.normalizer
    reasons = [unfamiliar(checkpoint, molecule) for molecule in molecules]
    readable = [not checkpoint.vocabulary.unknown(molecule.symbols) for molecule in molecules]
    known = [m.symbols for m, good in zip(molecules, readable, strict=True) if good]
    rows = iter(predict(checkpoint, read(checkpoint, known).mean).tolist() if known else [])
    predictions = []
    for good, reason in zip(readable, reasons, strict=True):
        values: dict[str, Reading] = {}
        if good:
            by_column = dict(zip(normalizer.names, next(rows), strict=True))
            values = {name: normalizer.reading(by_column, name) for name in normalizer.quantities}
        predictions.append(Prediction(values, reason))
    return predictions


def unfamiliar(checkpoint: Checkpoint, molecule: PreparedMolecule) -> str:
    """Say how a molecule differs from all of the training set, by what can be told for sure.

    Distances in latent space tell less: at a few nats a molecule, codes of what the model has
    never seen lie among those of what it has.
    """
    normalizer, longest = checkpoint.normalizer, checkpoint.provenance["longest"]
    reasons = []
    unknown = checkpoint.vocabulary.unknown(molecule.symbols)
    if unknown:
        reasons.append(f"symbol unknown to the model: {', '.join(unknown)}")
    elif (length := len(molecule.symbols)) > longest:
        reasons.append(f"{length} symbols, the model knows up to {longest}")
    for name, value in zip(measured_by(checkpoint), molecule.values, strict=True):
        column = normalizer.names.index(name)
        low, high = normalizer.low[column], normalizer.high[column]
        if not low <= value <= high:
            reasons.append(f"{name} {value:.3g} is outside {low:.3g}..{high:.3g}")
    return "; ".join(reasons)
