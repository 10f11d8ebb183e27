"""A checkpoint at work: symbols to latent codes, codes to strings, codes to properties.

Letters: N molecules, T tokens, Z latent dimensions, P properties.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from molvae.checkpoint import Checkpoint
from molvae.chem.properties import PROPERTIES
from molvae.chem.selfies import (
    constraints,
    decode_canonical,
    distribution_version,
    symbol_is_allowed,
)
from molvae.chem.smiles import Standardization
from molvae.config import (
    NO_CODES,
    WHOLE_CODES,
    DrawSettings,
    GenerateConfig,
    temperature_at,
    updated,
)
from molvae.data.molecules import PreparedMolecule
from molvae.errors import ArtifactError, ConfigError, Rejected, UsageError
from molvae.generation.feasibility import PropertySample
from molvae.model.latent import Posterior
from molvae.model.sampling import sample
from molvae.normalizer import Reading
from molvae.vocabulary import EOS, PAD, Vocabulary

TILE = 64  # rows in one matrix product: fixed, because its size can change the last bits
AT_ONCE = 16 * TILE  # strings decoded in one call
MAX_TOKENS = 1024  # the longest molecule that a model can have been trained on
STANDARDIZATION = ("stereo", "largest_fragment", "uncharge", "isotopes")


class DecodedString(NamedTuple):
    """One string of symbols as the decoder wrote it.

    Attributes:
        symbols: SELFIES symbols.
        ended: whether the decoder ended it, rather than the cap on its length.
        nll: -log p(x given z, c), nats.
    """

    symbols: list[str]
    ended: bool
    nll: float


class LoadedModel:
    """A checkpoint, checked against this installation, with all that generation asks of it.

    Args:
        checkpoint: the model.

    Attributes:
        checkpoint: the same.
        network: the conditional VAE, in evaluation mode.
        vocabulary: its tokens.
        normalizer: names and scale of its properties.
        standardization: how its training set was standardized.
        longest: tokens of the longest molecule of its training set, which caps every string.
        defaults: how it generates best; neither noise nor temperature is None.
        measured: its properties that can be computed from a structure.
        labels: its other properties, which it can only predict.

    Raises:
        ArtifactError: when the model was trained under other SELFIES constraints, so that its
            symbols would decode to other molecules, or when its header is damaged.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint, self.network = checkpoint, checkpoint.model
        self.vocabulary, self.normalizer = checkpoint.vocabulary, checkpoint.normalizer
        _check_symbols(checkpoint)
        self.standardization = _standardization(checkpoint)
        self.longest = _longest(checkpoint)
        self.defaults = _defaults(checkpoint)
        self.measured = tuple(name for name in self.normalizer.names if name in PROPERTIES)
        self.labels = tuple(n for n in self.normalizer.quantities if n not in PROPERTIES)

    @property
    def name(self) -> str:
        """The short hash of the model's content."""
        return self.checkpoint.sha256[:12]

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return next(self.network.parameters()).device

    @property
    def takes_noise(self) -> bool:
        """Whether the decoder was trained with noise in its codes."""
        return self.network.config.noise_conditional

    @cached_property
    def sample(self) -> PropertySample | None:
        """Properties of some training molecules; None for a model that carries none."""
        conditions = self.checkpoint.sample
        return None if conditions is None else PropertySample(conditions, self.normalizer)

    def settings(
        self, config: GenerateConfig | None = None, *, base: GenerateConfig | None = None
    ) -> DrawSettings:
        """Return a configuration in which nothing is open.

        Args:
            config: the configuration wanted; None: `base`.
            base: gives the noise and the temperature that `config` leaves open; None: `defaults`.

        Raises:
            ConfigError: for a value out of its range.
            UsageError: for noise, where the decoder was not trained with it.
        """
        base = base or self.defaults
        config = config or base
        if config.temperature is None:  # the base's temperature belongs to the base's noise
            other = config.noise is not None and config.noise != base.noise
            fitting = temperature_at(config.noise or 0.0) if other else base.temperature
            config = replace(config, temperature=fitting)
        if config.noise is None:
            config = replace(config, noise=base.noise)
        self.check_noise(config.noise)
        return DrawSettings.of(config)

    def check_noise(self, noise: float | None) -> None:
        """Refuse noise where the decoder was not trained with it.

        Raises:
            UsageError: naming what to do.
        """
        if noise and not self.takes_noise:
            raise UsageError(
                f"noise = {noise:g}: the decoder of this model was not taught noise; leave it out,"
                " or train with --noise-conditional."
            )

    def encode(self, molecules: Sequence[Sequence[str]]) -> Posterior:
        """Return q(z given x) of N molecules, given by their symbols, in shapes (N, Z).

        Raises:
            Rejected: for a symbol that the model does not know.
        """
        for symbols in molecules:
            if unknown := self.vocabulary.unknown(symbols):
                detail = f"{', '.join(unknown)} in {decode_canonical(symbols)}"
                raise Rejected("symbol unknown to the model", detail)
        parts = [
            self._encode_ids(padded_ids(self.vocabulary, molecules[begin : begin + TILE]))
            for begin in range(0, len(molecules), TILE)
        ]
        return Posterior(*(torch.cat(columns) for columns in zip(*parts, strict=True)))

    def _encode_ids(self, ids: Tensor) -> Posterior:
        """Return q(z given x) of molecules as padded ids (N, T), in shapes (N, Z)."""
        lengths = (ids != PAD).sum(dim=1).clamp(min=1)
        with torch.inference_mode():
            return self.network.encode(ids.to(self.device), lengths.to(self.device))

    def predict(self, means: Tensor) -> np.ndarray:
        """Return what the property head predicts from posterior means (N, Z).

        Returns:
            Values in their units, shape (N, P).
        """
        with torch.inference_mode():
            standardized = self.network.predict_properties(means).cpu().numpy()
        return self.normalizer.restore(standardized)

    def predict_strings(self, strings: Sequence[Sequence[str]]) -> np.ndarray:
        """Return what the property head predicts of strings; in their units, shape (N, P).

        Every matrix product has `TILE` rows, so a string is predicted alike in any company.
        """
        ids = padded_ids(self.vocabulary, strings)
        return self.predict(by_tile(lambda rows: self._encode_ids(ids[rows]).mean, len(ids)))

    def readings(self, values: np.ndarray) -> list[dict[str, Reading]]:
        """Return rows of values (N, P) by property and label; a class label has all its classes."""
        names, quantities = self.normalizer.names, self.normalizer.quantities
        rows = [dict(zip(names, row, strict=True)) for row in values.tolist()]
        return [{name: self.normalizer.reading(row, name) for name in quantities} for row in rows]

    def decode(
        self,
        codes: Tensor,
        points: np.ndarray,
        settings: DrawSettings,
        *,
        uniforms: np.ndarray | None = None,
    ) -> list[DecodedString]:
        """Decode each code to one string; without guidance, its neighbors change nothing.

        Args:
            codes: shape (N, Z).
            points: properties that the decoder is given, in their units, NaN = free, shape (N, P).
            settings: temperature, top-p, guidance and the noise level of the codes.
            uniforms: numbers in [0, 1), all the randomness there is, shape (N, longest + 1); not
                needed where the temperature is 0.
        """
        if uniforms is None:
            uniforms = np.zeros((len(codes), self.longest + 1))
        conditions = torch.from_numpy(self.normalizer.normalize(points))
        decoded: list[DecodedString] = []
        for begin in range(0, len(codes), AT_ONCE):
            rows = slice(begin, begin + AT_ONCE)
            drawn = sample(
                self.network,
                codes[rows].to(self.device),
                conditions[rows].to(self.device),
                torch.from_numpy(uniforms[rows]).to(self.device),
                temperature=settings.temperature,
                top_p=settings.top_p,
                guidance=settings.guidance,
                noise=settings.noise,
                live=TILE if self.device.type == "cpu" else AT_ONCE,  # a GPU promises no bits
            )
            symbols = map(self.vocabulary.decode, drawn.ids.tolist())
            decoded += map(DecodedString, symbols, drawn.ended.tolist(), drawn.nll.tolist())
        return decoded

    def own_points(self, molecules: Sequence[PreparedMolecule]) -> np.ndarray:
        """Return molecules' own measured properties, labels NaN, shape (N, P).

        Args:
            molecules: with the properties `measured` as their values.
        """
        names = self.normalizer.names
        points = np.full((len(molecules), len(names)), np.nan)
        points[:, [names.index(name) for name in self.measured]] = [m.values for m in molecules]
        return points


def padded_ids(vocabulary: Vocabulary, molecules: Sequence[Sequence[str]]) -> Tensor:
    """Return the tokens of N molecules with EOS and padding, shape (N, T)."""
    rows = [np.append(vocabulary.encode(symbols), EOS) for symbols in molecules]
    ids = torch.full((len(rows), max(map(len, rows))), PAD)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = torch.from_numpy(row)
    return ids


def by_tile(compute: Callable[[Tensor], Tensor], count: int) -> Tensor:
    """Compute a row for each of `count` things, in calls of `TILE` rows; the last is filled up.

    Args:
        compute: numbers of things, shape (TILE,) -> a row for each, shape (TILE, ...).
        count: things, at least one.
    """
    parts = []
    for begin in range(0, count, TILE):
        parts.append(compute(torch.arange(begin, begin + TILE).clamp(max=count - 1)))
    return torch.cat(parts)[:count]


def _check_symbols(checkpoint: Checkpoint) -> None:
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


def _standardization(checkpoint: Checkpoint) -> Standardization:
    data = checkpoint.provenance.get("data")
    if not isinstance(data, Mapping):
        raise ArtifactError("the model is damaged: how its data were prepared is missing.")
    for name in STANDARDIZATION:
        if not isinstance(data.get(name), bool):
            raise ArtifactError(f"the model is damaged: {name} is {data.get(name)!r}.")
    return Standardization(*(data[name] for name in STANDARDIZATION))


def _longest(checkpoint: Checkpoint) -> int:
    longest = checkpoint.provenance.get("longest")
    if not isinstance(longest, int) or not 1 <= longest <= MAX_TOKENS:
        raise ArtifactError(f"the model is damaged: its longest molecule has {longest!r} tokens.")
    return longest


def _defaults(checkpoint: Checkpoint) -> GenerateConfig:
    """Return how a model generates best, as was found for it, or else for its kind."""
    kind = NO_CODES if checkpoint.model.config.noise_conditional else WHOLE_CODES
    given = checkpoint.provenance.get("defaults", {})
    try:
        found = updated(kind, dict(given), where="the model's defaults")
    except (TypeError, ValueError, ConfigError) as error:
        raise ArtifactError(f"the model is damaged: its defaults: {error}") from error
    if found.noise is None or found.temperature is None:
        raise ArtifactError("the model is damaged: its defaults hold null.")
    return found
