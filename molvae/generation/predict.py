"""Properties and labels predicted by a model's property head, and where they can be trusted."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from molvae.data.molecules import PreparedMolecule
from molvae.errors import ArtifactError
from molvae.generation.applicability import familiarity
from molvae.generation.model import LoadedModel
from molvae.generation.score import score, typicality_of
from molvae.normalizer import Reading


class Prediction(NamedTuple):
    """The properties of one molecule, as a model predicts them.

    Attributes:
        values: by property or label: a number in its unit, or a figure for each class of a class
            label, about 0 to 1. Empty where the molecule has symbols that the model lacks.
        ood: why the molecule is out of distribution, "" when it is not. On such molecules the
            errors were two to four times those that are stated for held-out ones.
        nearest: Tanimoto similarity to the nearest training molecule; a molecule is out of
            distribution below the limit that 5 % of held-out molecules fall short of. None where
            the model holds no fingerprints: then the percentile decides.
        percentile: of `score`, where there is no `nearest`; above 99, a molecule is out of
            distribution.
    """

    values: Mapping[str, Reading]
    ood: str
    nearest: float | None = None
    percentile: float | None = None


def stated_errors(model: LoadedModel) -> dict[str, dict[str, float | None]]:
    """Return the errors of the property head on molecules held out of training.

    Returns:
        By property or label, in its unit, as training stored them. A model that is older than
        these has `molecules` and `mae` alone; nothing where nothing is known.

    Raises:
        ArtifactError: when the header, which may come from anywhere, holds something else.
    """
    provenance, normalizer = model.checkpoint.provenance, model.normalizer
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


def predict_values(
    model: LoadedModel, molecules: Sequence[PreparedMolecule]
) -> list[Mapping[str, Reading]]:
    """Predict the properties and labels of molecules; {} where the model lacks a symbol."""
    unknown = [bool(model.vocabulary.unknown(molecule.symbols)) for molecule in molecules]
    known = [m.symbols for m, odd in zip(molecules, unknown, strict=True) if not odd]
    values = iter(model.readings(model.predict(model.encode(known).mean)) if known else [])
    return [{} if odd else next(values) for odd in unknown]


def predict(model: LoadedModel, molecules: Sequence[PreparedMolecule]) -> list[Prediction]:
    """Predict the properties and labels of molecules from their latent codes.

    Args:
        model: the model.
        molecules: with the properties `model.measured` as their values.
    """
    values = predict_values(model, molecules)
    if model.applicability is None and typicality_of(model) is not None:
        scores = score(model, molecules)
        return [
            Prediction(each, found.ood, percentile=found.percentile)
            for each, found in zip(values, scores, strict=True)
        ]
    return [
        Prediction(each, found.ood, nearest=found.nearest)
        for each, found in zip(values, familiarity(model, molecules), strict=True)
    ]
