"""The header of a checkpoint, which may come from anywhere: each part is checked as it is read."""

from collections.abc import Mapping
from dataclasses import replace

from molvae.checkpoint import Checkpoint
from molvae.chem.selfies import constraints, distribution_version, symbol_is_allowed
from molvae.chem.smiles import Standardization
from molvae.config import GenerateConfig, updated
from molvae.data.applicability import KEY, Applicability
from molvae.errors import ArtifactError, ConfigError
from molvae.presets import NO_CODES, SMALL_SET, WHOLE_CODES

MAX_TOKENS = 1024  # the longest molecule that a model can have been trained on
STANDARDIZATION = ("stereo", "largest_fragment", "uncharge", "isotopes")


def check_symbols(checkpoint: Checkpoint) -> None:
    """Raise an ArtifactError unless this installation decodes the model's symbols as it means."""
    # The table of constraints may have gained atoms since the model was trained.
    theirs, ours = checkpoint.provenance.get("constraints"), constraints()
    if not isinstance(theirs, Mapping) or not theirs.items() <= ours.items():
        raise ArtifactError(
            "the model was trained with other SELFIES constraints than those of the installed"
            f" selfies {distribution_version()}: pip install 'selfies==2.2.0'."
        )
    odd = [s for s in checkpoint.vocabulary.symbols if not symbol_is_allowed(s, ours)]
    if odd:
        raise ArtifactError(f"the model is damaged: {odd[0]!r} is no symbol that can be used.")


def read_standardization(checkpoint: Checkpoint) -> Standardization:
    """Return how the training set was standardized; an ArtifactError where it does not say."""
    data = checkpoint.provenance.get("data")
    if not isinstance(data, Mapping):
        raise ArtifactError("the model is damaged: how its data were prepared is missing.")
    for name in STANDARDIZATION:
        if not isinstance(data.get(name), bool):
            raise ArtifactError(f"the model is damaged: {name} is {data.get(name)!r}.")
    return Standardization(*(data[name] for name in STANDARDIZATION))


def read_longest(checkpoint: Checkpoint) -> int:
    """Return the tokens of the longest training molecule; an ArtifactError for no such number."""
    longest = checkpoint.provenance.get("longest")
    if not isinstance(longest, int) or not 1 <= longest <= MAX_TOKENS:
        raise ArtifactError(f"the model is damaged: its longest molecule has {longest!r} tokens.")
    return longest


def read_applicability(checkpoint: Checkpoint) -> Applicability | None:
    """Return the limit on the similarity to the training set; None without fingerprints of it."""
    if checkpoint.fingerprints is None:
        return None
    return Applicability.from_dict(checkpoint.provenance.get(KEY, {}))


def read_defaults(checkpoint: Checkpoint) -> GenerateConfig:
    """Return how a model generates best, as was found for it, or else for its kind.

    A model that was trained further knows its small training set by heart: what it writes of that
    set is no news.
    """
    kind = NO_CODES if checkpoint.model.config.noise_conditional else WHOLE_CODES
    few = checkpoint.provenance.get("training_molecules", SMALL_SET) < SMALL_SET
    kind = replace(kind, novel=few and "init" in checkpoint.provenance)
    given = checkpoint.provenance.get("defaults", {})
    try:
        found = updated(kind, dict(given), where="the model's defaults")
    except (TypeError, ValueError, ConfigError) as error:
        raise ArtifactError(f"the model is damaged: its defaults: {error}") from error
    if found.noise is None or found.temperature is None:
        raise ArtifactError("the model is damaged: its defaults hold null.")
    return found
