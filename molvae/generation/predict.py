"""Properties and labels predicted by a model's property head, and where they can be trusted."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from molvae.data.molecules import PreparedMolecule
from molvae.errors import ArtifactError
from molvae.generation.model import LoadedModel
from molvae.normalizer import Reading


class Prediction(NamedTuple):
    """The properties of one molecule, as a model predicts them.

    Attributes:
        values: by property or label: a number in its unit, or a figure for each class of a class
            label, about 0 to 1. Empty where the molecule has symbols that the model lacks.
        ood: why the molecule is out of distribution, "" when it is not. On such molecules the
            errors were two to four times those that are stated for held-out ones.
    """

    values: Mapping[str, Reading]
    ood: str


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


def predict(model: LoadedModel, molecules: Sequence[PreparedMolecule]) -> list[Prediction]:
    """Predict the properties and labels of molecules from their latent codes.

    Args:
        model: the model.
        molecules: with the properties `model.measured` as their values.
    """
    known = [m.symbols for m in molecules if not model.vocabulary.unknown(m.symbols)]
    means = model.encode(known).mean if known else None
    values = iter([] if means is None else model.readings(model.predict(means)))
    return [
        Prediction(
            {} if model.vocabulary.unknown(molecule.symbols) else next(values),
            unfamiliar(model, molecule),
        )
        for molecule in molecules
    ]


def unfamiliar(model: LoadedModel, molecule: PreparedMolecule) -> str:
    """Return how a molecule differs for certain from all of the training set, "" for nowhere.

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
    return "; ".join(reasons)
