"""A checkpoint at work: symbols to latent codes, codes to strings, codes to properties.

Letters: N molecules, T tokens, Z latent dimensions, P properties.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from molvae.arguments import as_molecules, of_kind
from molvae.checkpoint import Checkpoint
from molvae.chem.properties import PROPERTIES
from molvae.chem.selfies import decode_canonical
from molvae.config import GenerateConfig, check
from molvae.data.molecules import PreparedMolecule, standardize_and_measure
from molvae.errors import Rejected, UsageError
from molvae.generation.feasibility import PropertySample
from molvae.generation.headers import (
    check_symbols,
    read_applicability,
    read_defaults,
    read_longest,
    read_standardization,
)
from molvae.generation.tiles import TILE, by_tile, padded_ids
from molvae.model.device import one_thread
from molvae.model.latent import Posterior
from molvae.model.sampling import Prefix, sample, symbol_costs
from molvae.normalizer import Reading
from molvae.presets import DrawSettings, temperature_at
from molvae.vocabulary import EOS, PAD

AT_ONCE = 16 * TILE  # strings decoded in one call
Molecule = str | PreparedMolecule  # SMILES, or a molecule in the form that a model is trained on


class DecodedString(NamedTuple):
    """One string of symbols as the decoder wrote it.

    Attributes:
        symbols: SELFIES symbols.
        ended: whether the decoder ended it, rather than the cap on its length.
        nll: -log p(x given z, c) of the symbols that the decoder chose, nats.
        prefix_nll: the same of the symbols that it was given.
    """

    symbols: list[str]
    ended: bool
    nll: float
    prefix_nll: float


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
        applicability: which molecules are near enough to its training set; None where the model
            holds no fingerprints.
        measured: its properties that can be computed from a structure.
        labels: its other properties, which it can only predict.
        rings: the ring systems of its training set that are not rare; None where it has no list.

    Raises:
        ArtifactError: when the model was trained under other SELFIES constraints, so that its
            symbols would decode to other molecules, or when its header is damaged.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint, self.network = checkpoint, checkpoint.model
        self.vocabulary, self.normalizer = checkpoint.vocabulary, checkpoint.normalizer
        check_symbols(checkpoint)
        self.standardization = read_standardization(checkpoint)
        self.longest = read_longest(checkpoint)
        self.defaults = read_defaults(checkpoint)
        self.applicability = read_applicability(checkpoint)
        self.measured = tuple(name for name in self.normalizer.names if name in PROPERTIES)
        self.labels = tuple(n for n in self.normalizer.quantities if n not in PROPERTIES)
        self.rings = None if checkpoint.rings is None else frozenset(checkpoint.rings.systems)

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
        config = base if config is None else config
        config = of_kind("config", config, GenerateConfig)
        config = config if isinstance(config, DrawSettings) else check(config)
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
                f"noise = {noise:g}: this model was trained without noise; leave --noise out, or"
                " train a model with --noise-conditional."
            )

    def allowed_rings(
        self, config: GenerateConfig, given: Iterable[str] = ()
    ) -> frozenset[str] | None:
        """Return the ring systems that molecules may have; None for any.

        Args:
            config: tells whether rare ones are refused; in the tier raw they never are.
            given: ring systems of given molecules, which are allowed too.
        """
        if self.rings is None or config.rings == "any" or config.tier == "raw":
            return None
        return self.rings.union(given)

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
        with torch.inference_mode(), one_thread():
            return self.network.encode(ids.to(self.device), lengths.to(self.device))

    def predict(self, means: Tensor) -> np.ndarray:
        """Return what the property head predicts from posterior means (N, Z).

        Returns:
            Values in their units, shape (N, P).
        """
        with torch.inference_mode(), one_thread():
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
        prefixes: Sequence[Sequence[str]] = (),
        barred: Sequence[str] = (),
    ) -> list[DecodedString]:
        """Decode each code to one string; without guidance, its neighbors change nothing.

        Args:
            codes: shape (N, Z).
            points: properties that the decoder is given, in their units, NaN = free, shape (N, P).
            settings: temperature, top-p, guidance and the noise level of the codes.
            uniforms: numbers in [0, 1), all the randomness there is, shape (N, longest + 1); not
                needed where the temperature is 0.
            prefixes: symbols that each string begins with, at most `longest - 1`, and goes on
                behind; none for none.
            barred: symbols that may not follow straight behind a prefix.
        """
        if uniforms is None:
            uniforms = np.zeros((len(codes), self.longest + 1))
        conditions = torch.from_numpy(self.normalizer.normalize(points))
        given = padded_ids(self.vocabulary, prefixes, ended=False) if prefixes else None
        not_next = [EOS, *self.vocabulary.encode(barred).tolist()]
        decoded: list[DecodedString] = []
        for begin in range(0, len(codes), AT_ONCE):
            rows = slice(begin, begin + AT_ONCE)
            with one_thread():
                drawn = sample(
                    self.network,
                    codes[rows].to(self.device),
                    conditions[rows].to(self.device),
                    torch.from_numpy(uniforms[rows]).to(self.device),
                    temperature=settings.temperature,
                    top_p=settings.top_p,
                    guidance=settings.guidance,
                    noise=settings.noise,
                    live=self._live,
                    prefix=None if given is None else Prefix(given[rows].to(self.device), not_next),
                )
            symbols = map(self.vocabulary.decode, drawn.ids.tolist())
            figures = (drawn.ended, drawn.nll, drawn.prefix_nll)
            decoded += map(DecodedString, symbols, *(each.tolist() for each in figures))
        return decoded

    @property
    def _live(self) -> int:
        """The rows of every matrix product of the decoder."""
        return TILE if self.device.type == "cpu" else AT_ONCE  # a GPU promises no bits

    def symbol_costs(
        self,
        strings: Sequence[Sequence[str]],
        *,
        codes: Tensor | None = None,
        points: np.ndarray | None = None,
        noise: float = 1.0,
        ended: bool = False,
    ) -> np.ndarray:
        """Return -log p of each symbol of N strings given those before, nats, shape (N, T).

        Args:
            strings: SELFIES symbols.
            codes: of each, shape (N, Z); None: no information.
            points: properties that the decoder is given, NaN = free, shape (N, P); None: all free.
            noise: level of noise in the codes.
            ended: count the end of each string as its last symbol.
        """
        if codes is None:
            codes = torch.zeros(len(strings), self.network.config.latent_size)
        if points is None:
            points = np.full((len(strings), len(self.normalizer.names)), np.nan)
        conditions = torch.from_numpy(self.normalizer.normalize(points))
        ids = padded_ids(self.vocabulary, strings, ended=ended)
        costs = symbol_costs(
            self.network,
            codes.to(self.device),
            conditions.to(self.device),
            ids.to(self.device),
            noise=noise,
            live=self._live,
        )
        found: np.ndarray = costs.cpu().numpy()
        return found

    def prepare(
        self, molecules: Sequence[Molecule], method: str, *, measure: bool = True
    ) -> list[PreparedMolecule]:
        """Return molecules in the form that the model was trained on.

        Args:
            molecules: SMILES; what is prepared already stays.
            method: that asks for it, for the message.
            measure: compute the properties `measured` as their values.

        Raises:
            Rejected: for a string that is no molecule, naming it.
            UsageError: for no molecules, one string in place of a list, or a missing cell.
        """
        given = as_molecules(method, molecules, also=(PreparedMolecule,))
        if not given:
            raise UsageError(f"{method}([]): give a list of SMILES, such as ['CCO'].")
        texts = [molecule for molecule in given if isinstance(molecule, str)]
        properties = self.measured if measure else ()
        measured = iter(standardize_and_measure(self.standardization, properties, texts))
        prepared = []
        for number, molecule in enumerate(given, 1):
            found = next(measured) if isinstance(molecule, str) else molecule
            if isinstance(found, Rejected):
                where = f"'{molecule:.80}', molecule {number} of {len(given)}"
                raise Rejected(found.reason, f"{where}: {found.detail}", field=found.field)
            prepared.append(found)
        return prepared

    def own_points(self, molecules: Sequence[PreparedMolecule]) -> np.ndarray:
        """Return molecules' own measured properties, labels NaN, shape (N, P).

        Args:
            molecules: with the properties `measured` as their values.
        """
        names = self.normalizer.names
        points = np.full((len(molecules), len(names)), np.nan)
        points[:, [names.index(name) for name in self.measured]] = [m.values for m in molecules]
        return points
