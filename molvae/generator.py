"""The front door: molecules with the properties you name, and molecules to latent codes and back.

from molvae import MoleculeGenerator

generator = MoleculeGenerator.load("druglike")
molecules = generator.generate(100, {"LogP": 2.5, "QED": (0.8, 0.95)}, seed=1)
"""

import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np

from molvae.arguments import (
    MAX_MOLECULES,
    as_molecules,
    is_by_name,
    listed,
    real_number,
    whole_number,
)
from molvae.checkpoint import Checkpoint, find_model
from molvae.chem.cores import Core
from molvae.config import GenerateConfig
from molvae.errors import UsageError
from molvae.generation.decode import Reconstruction, decode_greedily, reconstruct
from molvae.generation.decorate import keep_cores, rings_of_cores
from molvae.generation.feasibility import Feasibility
from molvae.generation.link import ranked
from molvae.generation.model import LoadedModel, Molecule
from molvae.generation.neighbor_search import NeighborSearch, Vicinity
from molvae.generation.neighbors import (
    Neighbor,
    Source,
    Variant,
    as_neighbors,
    as_sources,
    as_variants,
    near_settings,
    own_request,
)
from molvae.generation.openings import as_core, as_cores, read_link
from molvae.generation.paths import Step, interpolate, sweep
from molvae.generation.predict import Prediction, predict
from molvae.generation.rejection import RejectionSampler
from molvae.generation.results import Generated, Generation
from molvae.generation.score import Score, score
from molvae.generation.search import SEARCH, Search
from molvae.model.device import choose_device
from molvae.model.ood import CODES
from molvae.presets import NEAR_RADIUS, NEAR_TRIES, SWEEP_GUIDANCE
from molvae.targets import Request, Targets, spell, warn_of_targets


class MoleculeGenerator:
    """A trained model, ready to generate molecules with the properties that are named.

    Methods that take molecules raise `Rejected` for a string that is no molecule or, where codes
    are needed, has a symbol that the model does not know, and `UsageError` for one string in place
    of a list. Methods that take targets, property to value, (low, high) or class, raise
    `UsageError` for invalid targets.

    Args:
        checkpoint: the model; its SELFIES constraints must be those of this installation.

    Attributes:
        model: the checkpoint at work; see `generation.model`.
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

    def __repr__(self) -> str:
        """Return the model's name and what it can be asked for."""
        return f"<MoleculeGenerator {self.name}: {', '.join((*self.measured, *self.labels))}>"

    @classmethod
    def load(cls, model: str | Path = "druglike", *, device: str = "cpu") -> "MoleculeGenerator":
        """Load a model: a file, a run folder, or the name of a bundled one.

        Raises:
            InputError: when there is no such model.
            UsageError: for a device that this machine does not have.
            ArtifactError: when the file is damaged, foreign or too new.
        """
        return cls(Checkpoint.load(find_model(model), choose_device(str(device))))

    @property
    def name(self) -> str:
        """The short hash of the model's content."""
        return self.model.name

    def request(self, targets: Targets | None) -> Request:
        """Check targets and spell them as this model does; RDKit's names are understood."""
        return Request.for_model(targets, self.normalizer)

    def spell(self, name: str) -> str:
        """Return this model's spelling of a property or label; an error lists those it has."""
        return spell(name, self.normalizer)

    def generate(
        self,
        n: int,
        targets: Targets | Sequence[Targets] | None = None,
        *,
        config: GenerateConfig | None = None,
        seed: int | None = None,
        exclude: Iterable[str] = (),
        keep: str | Core | Sequence[str | Core] = (),
        executor: Executor | None = None,
        batch_size: int = 1024,
        report: Callable[[int], None] = lambda found: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Generation[Generated]:
        """Generate molecules until `n` are found or `config.max_tries` is spent on each.

        On a CPU the same seed gives the same molecules, whatever `executor` and `batch_size`.

        Args:
            n: molecules wanted.
            targets: either end of a range may be infinite; None or {} leaves all free. A sequence
                of k requests shares the molecules out: the first n / k are for the first one.
            config: tier, temperature, filters; None: `defaults`, found to be best for this model.
            seed: of all randomness; None draws one, which the summary reports.
            exclude: SMILES of molecules that are not wanted, as `standardize` spells them.
            keep: a core that every molecule contains, see `decorate`; several share them out.
            executor: runs the chemistry, for example a `molvae.parallel.pool.WorkerPool`; None
                runs it here.
            batch_size: draws under way before their chemistry is done.
            report: called with the number of molecules found so far.
            should_stop: asked between batches; true returns what is found.

        Returns:
            The molecules, as a sequence, with a `summary` of how they came about.
        """
        one = targets is None or isinstance(targets, Request) or is_by_name(targets)
        example = "targets, such as [{'LogP': 2.5}] or table.to_dict('records')"
        sets: list[Any] = [targets] if one else listed("targets", targets, example)
        requests = [self.request(each) for each in sets]
        warn_of_targets([r for r, each in zip(requests, sets, strict=True) if r is not each])
        if not requests:
            raise UsageError("the list of targets is empty.")
        if whole_number("n", n, 0, MAX_MOLECULES) < len(requests):
            each = f" for each of the {len(requests)} sets of targets" if len(requests) > 1 else ""
            raise UsageError(f"n = {n}: ask for at least one molecule{each}.")
        settings = self.model.settings(config)
        cores = as_cores(self.model, keep)
        sampler = RejectionSampler(
            self.model,
            requests,
            settings,
            n=n,
            seed=seed,
            ood=[self.is_ood(request) for request in requests],
            excluded=exclude,
            given_rings=rings_of_cores(cores),
            kept=keep_cores(self.model, cores, settings, n=n),
        )
        return sampler.run(executor, batch_size=batch_size, report=report, should_stop=should_stop)

    def decorate(
        self,
        core: str | Core | Sequence[str | Core],
        n: int = 100,
        targets: Targets | None = None,
        *,
        anywhere: bool = False,
        **drawing: Any,
    ) -> Generation[Generated]:
        """Generate `n` molecules with a core, and new parts at its open atoms.

            generator.decorate("[*:1]c1ccc2ncnc([*:2])c2c1", 50, {"LogP": (2, 3)}, seed=1)

        The model sees the core without stereo marks and charges; the molecules have the core as it
        was given. Each has a `decoration`: the new parts, and those at each mark. Molecules without
        the core, or with new parts elsewhere, are refused and counted.

        Args:
            core: SMILES with a mark at each open atom: `[*:1]`, `[1*]` or `*`. Without marks, every
                atom with a free hydrogen is open. Several cores get `n` molecules each.
            n: molecules of each core.
            targets: as of `generate`.
            anywhere: let atoms without a mark grow as well.
            drawing: the other arguments of `generate`.
        """
        cores = as_cores(self.model, core, anywhere=anywhere)
        if not cores:
            raise UsageError("the list of cores is empty.")
        n = whole_number("n", n, 1, MAX_MOLECULES)
        return self.generate(n * len(cores), targets, keep=cores, **drawing)

    def link(
        self, first: str, last: str, n: int = 100, targets: Targets | None = None, **drawing: Any
    ) -> Generation[Generated]:
        """Generate `n` molecules that join two fragments, the likeliest first.

            generator.link("[*:1]c1ccc(F)cc1", "[*:1]N1CCOCC1", 20, {"MW": (250, 350)}, seed=1)

        With targets, those nearest to them come first.

        Args:
            first: SMILES of a fragment with one mark where the linker is bonded: `[*:1]`.
            last: likewise.
            n: molecules.
            targets: as of `generate`.
            drawing: the other arguments of `generate`.
        """
        core = read_link(self.model, *as_molecules("link", [first, last]))
        found = self.generate(n, targets, keep=[core], **drawing)
        return ranked(self.model, found, self.request(targets))

    def draw(self, *args: Any, **kwargs: Any) -> Generation[Generated]:
        """Call `generate`; the next version removes this name."""
        warnings.warn("draw is called generate now", DeprecationWarning, stacklevel=2)
        return self.generate(*args, **kwargs)

    def neighbors(  # noqa: D417
        self,
        molecule: Molecule,
        n: int = 20,
        *,
        radius: float = NEAR_RADIUS,
        tries: int = NEAR_TRIES,
        min_similarity: float = 0.0,
        same_scaffold: bool = False,
        targets: Targets | None = None,
        keep_properties: bool = True,
        config: GenerateConfig | None = None,
        seed: int | None = None,
        keep: str | Core | None = None,
        executor: Executor | None = None,
        batch_size: int = 1024,
        report: Callable[[int], None] = lambda found: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Generation[Neighbor]:
        """Search around a molecule's code; return the `n` most similar molecules, or fewer.

        They are distinct, and none is the molecule itself. See `generation.neighbor_search`. The
        arguments from `seed` on are those of `generate`. A core to `keep` without marks
        grows where the molecule has other parts on it.

        Args:
            molecule: SMILES.
            n: neighbors wanted.
            radius: largest standard deviation of the codes around the molecule's posterior mean,
                in each latent dimension, in which all codes together have about 1.
            tries: strings decoded.
            min_similarity: least Tanimoto similarity to the molecule.
            same_scaffold: only molecules with the molecule's Murcko scaffold.
            targets: asked of the neighbors, in place of the molecule's own properties; they are
                chosen by similarity and by these.
            keep_properties: ask for the molecule's other properties as well; else they are free.
            config: temperature, filters; the tier is always "consistent", and each string is drawn
                once. Its noise is the largest: 0, "like this molecule", to 1, "anything with these
                properties".
        """
        (center,) = self.model.prepare([molecule], "neighbors")
        asked = self.request(targets)
        own = own_request(self.model, center).ranges if keep_properties else {}
        search = NeighborSearch(
            self.model,
            near_settings(self.model, config),
            Vicinity(radius, tries, min_similarity, same_scaffold),
            n=n,
            seed=seed,
            kept=as_core(self.model, keep),
            run=lambda sampler: sampler.run(
                executor, batch_size=batch_size, report=report, should_stop=should_stop
            ),
        )
        found = search.around(center, self.request({**own, **asked.ranges}), asked=asked)
        return as_neighbors(self.model, found, center)

    def augment(  # noqa: D417
        self,
        molecules: Sequence[Molecule | Source],
        n: int = 10,
        *,
        radius: float = NEAR_RADIUS,
        tries: int = NEAR_TRIES,
        min_similarity: float = 0.0,
        same_scaffold: bool = False,
        keep_properties: bool = True,
        config: GenerateConfig | None = None,
        seed: int | None = None,
        keep: str | Core | None = None,
        executor: Executor | None = None,
        batch_size: int = 1024,
        report: Callable[[int], None] = lambda found: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Generation[Variant]:
        """Search for `n` neighbors of each molecule: distinct, and none among the molecules.

        The arguments are those of `neighbors`; `report` is called after each molecule.

        Args:
            molecules: SMILES; a `Source` says which row of a table a variant came from.
            n: variants of each.
        """
        sources = as_sources(self.model, molecules)
        free = self.request(None)
        search = NeighborSearch(
            self.model,
            near_settings(self.model, config),
            Vicinity(radius, tries, min_similarity, same_scaffold),
            n=n,
            seed=seed,
            kept=as_core(self.model, keep),
            run=lambda sampler: sampler.run(
                executor, batch_size=batch_size, should_stop=should_stop
            ),
        )
        taken = {source.seen.smiles for source in sources}
        found = []
        for source in sources:
            own = own_request(self.model, source.seen) if keep_properties else free
            nears = search.around(source.seen, own, asked=free, excluded=taken)
            found.append(nears)
            taken.update(near.molecule.smiles for near in nears)
            report(sum(map(len, found)))
            if should_stop():
                break
        return as_variants(found, sources, each=n)

    def feasibility(self, targets: Targets) -> Feasibility | None:
        """Compare a combination of properties with the training set, before any is generated.

        Returns:
            None where nothing is asked, or the model carries no sample of its training set.
        """
        request = self.request(targets)
        return None if self.model.sample is None else self.model.sample.judge(request)

    def is_ood(self, targets: Targets) -> bool:
        """Return whether the training set has nothing like what is asked, alone or together."""
        request = self.request(targets)
        found = self.feasibility(request)
        return bool(request.unfamiliar) or (found is not None and found.ood)

    def standardize(self, smiles: Sequence[str]) -> list[str]:
        """Return molecules as the model's training set spells them: canonical, in its form."""
        return [seen.smiles for seen in self.model.prepare(smiles, "standardize", measure=False)]

    def encode(self, smiles: Sequence[str]) -> np.ndarray:
        """Return the latent codes (posterior means) of molecules, float32, shape (N, Z)."""
        molecules = [seen.symbols for seen in self.model.prepare(smiles, "encode", measure=False)]
        codes: np.ndarray = self.model.encode(molecules).mean.cpu().numpy()
        return codes

    def decode(self, codes: np.ndarray, targets: Targets | None = None) -> list[str]:
        """Decode each latent code, shape (N, Z), to its likeliest molecule, as canonical SMILES.

        Raises:
            UsageError: for codes of another shape or not finite.
        """
        return decode_greedily(self.model, codes, self.request(targets))

    def reconstruct(self, smiles: Sequence[str], *, alone: bool = False) -> list[Reconstruction]:
        """Encode molecules to their posterior means and decode these greedily.

        Args:
            smiles: the molecules.
            alone: withhold the molecules' own properties from the decoder.
        """
        return reconstruct(self.model, self.model.prepare(smiles, "reconstruct"), alone=alone)

    def predict(self, smiles: Sequence[str]) -> list[Prediction]:
        """Predict the properties and labels of molecules from their latent codes.

        `generation.predict.stated_errors` returns the errors on held-out molecules.
        """
        return predict(self.model, self.model.prepare(smiles, "predict"))

    def score(self, smiles: Sequence[str], *, codes: int = CODES) -> list[Score]:
        """Compute the likelihood of molecules, and flag those that are out of distribution.

        Args:
            smiles: the molecules.
            codes: drawn for each one's ELBO; more of them make it tighter and take longer.
        """
        return score(self.model, self.model.prepare(smiles, "score"), codes=codes)

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
        """Return `n` molecules on a path between two, both ends included; see `generation.paths`.

        Args:
            first: SMILES of the first end.
            last: SMILES of the last end.
            n: molecules.
            path: "spherical" or "linear".
            targets: properties to keep fixed; the others are interpolated.
            search: how the molecules between are looked for.
        """
        start, end = self.model.prepare([first, last], "interpolate")
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
        keep: str | Core | None = None,
    ) -> list[Step]:
        """Vary one property of a molecule and keep the rest similar; see `generation.paths`.

        Args:
            molecule: SMILES.
            name: the property; a class label has no values between its classes.
            values: of the property, in its unit.
            guidance: classifier-free guidance weight; 1 is off.
            search: how the molecules are looked for.
            keep: a core that every molecule contains; a value without one has no molecule.
        """
        (start,) = self.model.prepare([molecule], "sweep")
        name = self.spell(name)
        values = listed("values", values, "numbers, such as [1.0, 2.0]")
        for value in values:
            self.request({name: value})
        values = [real_number("value", value) for value in values]
        cores = as_cores(self.model, keep or ())
        return sweep(self.model, start, name, values, guidance=guidance, search=search, cores=cores)
