"""The front door: molecules with the properties you name, and molecules to latent codes and back.

from molvae import MoleculeGenerator

generator = MoleculeGenerator.load("druglike")
molecules = generator.generate(100, {"LogP": 2.5, "QED": (0.8, 0.95)}, seed=1)
"""

import secrets
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np
import torch

from molvae.checkpoint import Checkpoint, find_model
from molvae.chem.selfies import decode_canonical
from molvae.config import SWEEP_GUIDANCE, GenerateConfig
from molvae.data.molecules import PreparedMolecule, standardize_and_measure
from molvae.errors import Rejected, UsageError
from molvae.generation.decode import GREEDY, Reconstruction, reconstruct
from molvae.generation.feasibility import Feasibility
from molvae.generation.model import LoadedModel
from molvae.generation.neighbors import (
    Neighbor,
    Source,
    Variant,
    as_neighbors,
    as_variants,
    near_settings,
    own_request,
    sampler_around,
    unit_width,
)
from molvae.generation.paths import SEARCH, Search, Step, interpolate, sweep
from molvae.generation.predict import Prediction, predict
from molvae.generation.rejection import RejectionSampler
from molvae.generation.results import Generated, Generation
from molvae.generation.score import Score, score
from molvae.model.ood import CODES
from molvae.targets import Request, Targets, spell

Molecule = (
    str | PreparedMolecule
)  # SMILES, or the molecule in the form that the model was trained on


class MoleculeGenerator:
    """A trained model, ready to generate molecules with the properties that are named.

    Args:
        checkpoint: the model; its SELFIES constraints must be those of this installation.

    Attributes:
        model: the checkpoint at work; `generation.model` describes it.
        checkpoint, normalizer, vocabulary, standardization, measured, labels, defaults: the
            model's.

    Raises:
        ArtifactError: when the model was trained under other SELFIES constraints: its symbols
            would decode to other molecules than it means.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.model = model = LoadedModel(checkpoint)
        self.checkpoint, self.normalizer = checkpoint, model.normalizer
        self.vocabulary, self.standardization = model.vocabulary, model.standardization
        self.measured, self.labels, self.defaults = model.measured, model.labels, model.defaults

    @classmethod
    def load(cls, model: str | Path = "druglike", *, device: str = "cpu") -> "MoleculeGenerator":
        """Load a model: a file, a run folder, or the name of a bundled one.

        Raises:
            InputError: when there is no such model.
            ArtifactError: when the file is damaged, foreign or too new.
        """
        return cls(Checkpoint.load(find_model(model), device))

    @property
    def name(self) -> str:
        """The short hash of the model's content."""
        return self.model.name

    def request(self, targets: Targets | None) -> Request:
        """Check targets and spell them as this model does; RDKit's names are understood.

        Raises:
            UsageError: for an unknown name or class, an empty range, or a value that cannot be.
        """
        return Request.for_model(targets, self.normalizer)

    def spell(self, name: str) -> str:
        """Return this model's spelling of a property or label; RDKit's names are understood.

        Raises:
            UsageError: when it has no such one, listing those it has, with their units.
        """
        return spell(name, self.normalizer)

    def generate(
        self,
        n: int,
        targets: Targets | Sequence[Targets] | None = None,
        *,
        config: GenerateConfig | None = None,
        seed: int | None = None,
        exclude: Iterable[str] = (),
        executor: Executor | None = None,
        batch_size: int = 1024,
        report: Callable[[int], None] = lambda found: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Generation[Generated]:
        """Generate molecules until `n` are found or `config.max_tries` is spent on each.

        On a CPU the same seed gives the same molecules, whatever `executor` and `batch_size`.

        Args:
            n: molecules wanted.
            targets: property -> value or (low, high), either end of which may be infinite; None
                or {} leaves all free. A sequence of k such requests shares the molecules out: the
                first n / k are for the first one, and so on.
            config: tier, temperature, filters; None: `defaults`, the settings that this model
                generates best with.
            seed: of all randomness; None draws one, which the summary reports.
            exclude: SMILES of molecules that are not wanted, as `standardize` spells them.
            executor: does the chemistry, for example that of `executors.process_pool`; None does it
                here.
            batch_size: draws under way before their chemistry is done.
            report: called with the number of molecules found so far.
            should_stop: asked between batches; true returns what is found.

        Returns:
            The molecules, as a sequence, with a `summary` of how they came about.

        Raises:
            UsageError: for a request that cannot be meant.
        """
        one = targets is None or isinstance(targets, Mapping | Request)
        requests = [self.request(each) for each in ([targets] if one else targets)]  # type: ignore[arg-type,union-attr]
        if n < max(1, len(requests)) or not requests:
            raise UsageError(_too_few(n, len(requests)))
        sampler = RejectionSampler(
            self.model,
            requests,
            self.model.settings(config),
            n=n,
            seed=_seed(seed),
            ood=[self.is_ood(request) for request in requests],
            excluded=exclude,
        )
        return sampler.run(executor, batch_size=batch_size, report=report, should_stop=should_stop)

    def draw(self, *args: Any, **kwargs: Any) -> Generation[Generated]:
        """Call `generate`; this name goes with the next version."""
        warnings.warn("draw is called generate now", DeprecationWarning, stacklevel=2)
        return self.generate(*args, **kwargs)

    def neighbors(
        self,
        molecule: Molecule,
        n: int = 20,
        *,
        radius: float = 1.0,
        targets: Targets | None = None,
        keep_properties: bool = True,
        config: GenerateConfig | None = None,
        seed: int | None = None,
        executor: Executor | None = None,
        batch_size: int = 1024,
        report: Callable[[int], None] = lambda found: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Generation[Neighbor]:
        """Generate `n` molecules around a molecule's code: distinct, and none the molecule itself.

        Unlike `augment`, which goes as far in each direction as the molecule's own posterior is
        wide, all directions count alike: a radius means the same for every molecule.

        Args:
            molecule: SMILES.
            n: neighbors wanted.
            radius: how far from the molecule's posterior mean codes are drawn: their standard
                deviation in each latent dimension, in which all codes together have about 1.
            targets: asked of the neighbors, in place of the molecule's own properties.
            keep_properties: ask for the molecule's other properties as well; else they are free.
            config: temperature, filters; the tier is always "consistent". A noise level goes from
                0, "like this molecule", to 1, "anything with these properties".
            seed: as of `generate`, like the next four.
            executor: does the chemistry.
            batch_size: draws under way.
            report: called with the number of neighbors found so far.
            should_stop: asked between batches.

        Raises:
            Rejected: for a string that is no molecule, or a symbol that the model does not know.
            UsageError: for a number that cannot be meant, unknown targets, or another tier.
        """
        (center,) = self._prepare([molecule], "neighbors")
        if n < 1:
            raise UsageError(f"{n} neighbors: nothing to draw.")
        asked = self.request(targets)
        own = own_request(self.model, center).ranges if keep_properties else {}
        sampler = sampler_around(
            self.model,
            unit_width(self.model.encode([center.symbols]).mean),
            [self.request({**own, **asked.ranges})],
            near_settings(self.model, config),
            each=n,
            radius=radius,
            seed=_seed(seed),
            excluded=[center.smiles],
        )
        found = sampler.run(executor, batch_size=batch_size, report=report, should_stop=should_stop)
        return as_neighbors(self.model, found, center, asked)

    def augment(
        self,
        molecules: Sequence[Molecule | Source],
        n: int = 10,
        *,
        radius: float = 1.5,
        keep_properties: bool = True,
        config: GenerateConfig | None = None,
        seed: int | None = None,
        executor: Executor | None = None,
        batch_size: int = 1024,
        report: Callable[[int], None] = lambda found: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Generation[Variant]:
        """Generate `n` variants of each molecule: distinct, and none of them among the molecules.

        A variant's code is drawn from the molecule's own posterior, widened or narrowed by
        `radius`.

        Args:
            molecules: SMILES; with a `Source` a variant tells the row that it came from.
            n: variants of each.
            radius: how far from the molecule, in standard deviations of its posterior: 1 draws from
                the posterior, 0 stays at its mean, where only the temperature brings variety.
            keep_properties: ask for the molecule's own measured properties, so that variants stay
                near; else they are free.
            config: as of `neighbors`.
            seed: as of `generate`, like the next four.
            executor: does the chemistry.
            batch_size: draws under way.
            report: called with the number of variants found so far.
            should_stop: asked between batches.

        Raises:
            Rejected: for a string that is no molecule, or a symbol that the model does not know.
            UsageError: for no molecules, a number that cannot be meant, or another tier.
        """
        if n < 1 or not len(molecules):
            raise UsageError(f"{n} variants of {len(molecules)} molecules: nothing to draw.")
        plain = [each.seen if isinstance(each, Source) else each for each in molecules]
        prepared = self._prepare(plain, "augment")
        sources = [
            each if isinstance(each, Source) else Source(str(place), place, seen)
            for place, (each, seen) in enumerate(zip(molecules, prepared, strict=True), 1)
        ]
        sampler = sampler_around(
            self.model,
            self.model.encode([seen.symbols for seen in prepared]),
            [
                own_request(self.model, seen) if keep_properties else self.request(None)
                for seen in prepared
            ],
            near_settings(self.model, config),
            each=n,
            radius=radius,
            seed=_seed(seed),
            excluded=[seen.smiles for seen in prepared],
        )
        found = sampler.run(executor, batch_size=batch_size, report=report, should_stop=should_stop)
        return as_variants(found, sources, each=n)

    def feasibility(self, targets: Targets) -> Feasibility | None:
        """Compare a combination of properties with the training set, before any is generated.

        Returns:
            None where nothing is asked, or the model carries no sample of its training set.

        Raises:
            UsageError: for a request that cannot be meant.
        """
        request, sample = self.request(targets), self.model.sample
        return None if sample is None else sample.judge(request)

    def is_ood(self, targets: Targets) -> bool:
        """Return whether the training set has nothing like what is asked, alone or together.

        Raises:
            UsageError: for a request that cannot be meant.
        """
        request = self.request(targets)
        found = self.feasibility(request)
        return bool(request.unfamiliar) or (found is not None and found.ood)

    def standardize(self, smiles: Sequence[str]) -> list[str]:
        """Return molecules as the model's training set spells them: canonical, in its form.

        Raises:
            Rejected: for a string that is no molecule.
            UsageError: for no molecules, or one string in place of a list.
        """
        return [seen.smiles for seen in self._prepare(smiles, "standardize", measure=False)]

    def encode(self, smiles: Sequence[str]) -> np.ndarray:
        """Return the latent codes (posterior means) of molecules, float32, shape (N, Z).

        Raises:
            Rejected: for a string that is no molecule, or a symbol that the model does not know.
            UsageError: for no molecules, or one string in place of a list.
        """
        molecules = [seen.symbols for seen in self._prepare(smiles, "encode", measure=False)]
        codes: np.ndarray = self.model.encode(molecules).mean.cpu().numpy()
        return codes

    def decode(self, codes: np.ndarray, targets: Targets | None = None) -> list[str]:
        """Decode each latent code, shape (N, Z), to its likeliest molecule, as canonical SMILES.

        Args:
            codes: for example from `encode`.
            targets: points that all of them are asked for.

        Raises:
            UsageError: for codes of another shape or not finite, or targets that cannot be meant.
        """
        codes = np.asarray(codes, dtype=np.float32)
        size = self.model.network.config.latent_size
        if codes.ndim != 2 or codes.shape[1] != size or not len(codes):
            raise UsageError(f"codes of shape {codes.shape}: (N, {size}) is expected.")
        if not np.isfinite(codes).all():
            raise UsageError("codes that are not finite cannot be decoded.")
        points = self.request(targets).fill_in(
            np.full((len(codes), len(self.normalizer.names)), np.nan)
        )
        strings = self.model.decode(torch.from_numpy(codes), points, GREEDY)
        return [decode_canonical(string.symbols) for string in strings]

    def reconstruct(self, smiles: Sequence[str], *, alone: bool = False) -> list[Reconstruction]:
        """Encode molecules to their posterior means and decode these greedily.

        Args:
            smiles: the molecules.
            alone: withhold the molecules' own properties from the decoder.

        Raises:
            Rejected: for a string that is no molecule, or a symbol that the model does not know.
            UsageError: for no molecules, or one string in place of a list.
        """
        return reconstruct(self.model, self._prepare(smiles, "reconstruct"), alone=alone)

    def predict(self, smiles: Sequence[str]) -> list[Prediction]:
        """Predict the properties and labels of molecules from their latent codes.

        `generation.predict.stated_errors` returns the errors on held-out molecules.

        Raises:
            Rejected: for a string that is no molecule.
            UsageError: for no molecules, or one string in place of a list.
        """
        return predict(self.model, self._prepare(smiles, "predict"))

    def score(self, smiles: Sequence[str], *, codes: int = CODES) -> list[Score]:
        """Compute the likelihood of molecules, and flag those that are out of distribution.

        Args:
            smiles: the molecules.
            codes: drawn for each one's ELBO; more of them make it tighter and take longer.

        Raises:
            Rejected: for a string that is no molecule.
            UsageError: for no molecules, or one string in place of a list.
        """
        return score(self.model, self._prepare(smiles, "score"), codes=codes)

    def interpolate(
        self,
        first: Molecule,
        last: Molecule,
        n: int = 9,
        *,
        path: str = "spherical",
        targets: Targets | None = None,
        search: Search = SEARCH,
    ) -> list[Step]:
        """Return molecules on a path between the codes of two molecules; see `generation.paths`.

        Args:
            first: SMILES of the first end.
            last: SMILES of the last end.
            n: molecules, both ends included.
            path: "spherical" or "linear".
            targets: properties that stay the same on all of the path; the others go along.
            search: how the molecules between are looked for.

        Raises:
            Rejected: for a string that is no molecule, or a symbol that the model does not know.
            UsageError: for a number, path or target that cannot be meant.
        """
        start, end = self._prepare([first, last], "interpolate")
        request = self.request(targets)
        return interpolate(self.model, (start, end), n, path=path, request=request, search=search)

    def sweep(
        self,
        molecule: Molecule,
        name: str,
        values: Sequence[float],
        *,
        guidance: float = SWEEP_GUIDANCE,
        search: Search = SEARCH,
    ) -> list[Step]:
        """Vary one property of a molecule and keep the rest similar; see `generation.paths`.

        Args:
            molecule: SMILES.
            name: the property.
            values: of the property, in its unit.
            guidance: classifier-free guidance weight; 1 is off.
            search: how the molecules are looked for.

        Raises:
            Rejected: for a string that is no molecule, or a symbol that the model does not know.
            UsageError: for an unknown property, a class label, or values that cannot be.
        """
        (start,) = self._prepare([molecule], "sweep")
        for value in values:
            self.request({name: value})
        return sweep(self.model, start, self.spell(name), values, guidance=guidance, search=search)

    def _prepare(
        self, molecules: Sequence[Molecule], method: str, *, measure: bool = True
    ) -> list[PreparedMolecule]:
        """Return molecules in the form that the model was trained on, measured where needed."""
        if isinstance(molecules, str) or not len(molecules):
            raise UsageError(f"{method}({molecules!r}): give a list of SMILES, such as ['CCO'].")
        texts = [molecule for molecule in molecules if isinstance(molecule, str)]
        looked = iter(
            standardize_and_measure(self.standardization, self.measured if measure else (), texts)
        )
        prepared = []
        for molecule in molecules:
            found = next(looked) if isinstance(molecule, str) else molecule
            if isinstance(found, Rejected):
                raise found
            prepared.append(found)
        return prepared


def _seed(seed: int | None) -> int:
    return secrets.randbelow(2**32) if seed is None else seed


def _too_few(n: int, requests: int) -> str:
    if not requests:
        return "the list of targets is empty."
    if n < 1:
        return f"n = {n}: ask for at least one molecule."
    return f"n = {n}: fewer molecules than the {requests} sets of targets."
