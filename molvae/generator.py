"""The one bridge: molecules in, latent codes out, and back.

from molvae import MoleculeGenerator

generator = MoleculeGenerator.load("druglike")
molecules = generator.generate(100, {"LogP": 2.5, "QED": (0.8, 0.95)}, seed=1)
"""

import math
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch

from molvae.checkpoint import Checkpoint, find_model
from molvae.chem.candidates import Candidate, Checks, decode_and_check_all
from molvae.chem.properties import PROPERTIES
from molvae.chem.properties import resolve as resolve_property
from molvae.chem.selfies import (
    constraints,
    decode_canonical,
    distribution_version,
    symbol_is_allowed,
)
from molvae.config import (
    NO_CODES,
    WHOLE_CODES,
    GenerateConfig,
    check,
    temperature_at,
    updated,
)
from molvae.data.molecules import PreparedMolecule, standardize_and_measure
from molvae.errors import ArtifactError, ConfigError, Rejected, UsageError, did_you_mean
from molvae.generation.decode import Codes, write
from molvae.generation.encode import (
    TILE,
    check_noise,
    read,
    standardization_of,
    symbols_of,
    write_codes,
)
from molvae.generation.feasibility import Feasibility, PropertySample
from molvae.generation.paths import SEARCH, Search, Step, interpolate, sweep
from molvae.generation.predict import Prediction, measured_by, predict_all
from molvae.generation.reconstructions import Reconstruction, reconstruct_all
from molvae.generation.rejection import Drawing
from molvae.generation.results import Generated, Generation
from molvae.generation.score import Score, score_all
from molvae.model.ood import CODES
from molvae.parallel.workers import Lost, map_chunks
from molvae.targets import (
    Ends,
    Targets,
    Wanted,
    as_ranges,
    choose_point,
    format_range,
    unfamiliar,
)

PIECE = 32  # draws that a worker process takes at once
MAX_TOKENS = 1024  # of the longest molecule that a model can have been trained on


class MoleculeGenerator:
    """A trained model, ready to draw molecules with the properties that are named.

    Args:
        checkpoint: the model; its SELFIES constraints must be those of this installation.

    Raises:
        ArtifactError: when the model was trained under other SELFIES constraints: its symbols
            would decode to other molecules than it means.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self.normalizer = checkpoint.normalizer
        self.vocabulary = checkpoint.vocabulary
        # Atoms that have joined the table since then are no matter to it.
        theirs, ours = checkpoint.provenance.get("constraints"), constraints()
        if not isinstance(theirs, Mapping) or not theirs.items() <= ours.items():
            raise ArtifactError(
                "the model was trained with other SELFIES constraints than those of the installed"
                f" selfies {distribution_version()}: pip install 'selfies==2.2.0'."
            )
        odd = [s for s in self.vocabulary.symbols if not symbol_is_allowed(s, ours)]
        if odd:
            raise ArtifactError(f"the model is damaged: {odd[0]!r} is no symbol that can be used.")
        self.standardization = standardization_of(checkpoint)
        longest = checkpoint.provenance.get("longest")
        if not isinstance(longest, int) or not 1 <= longest <= MAX_TOKENS:
            raise ArtifactError(
                f"the model is damaged: its longest molecule has {longest!r} tokens."
            )
        self.max_tokens = longest
        self.defaults = _defaults(checkpoint)
        self.measured = measured_by(checkpoint)
        self.labels = tuple(n for n in self.normalizer.quantities if n not in PROPERTIES)

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
        return self.checkpoint.sha256[:12]

    def ranges(self, targets: Targets) -> dict[str, Wanted]:
        """Check a request and spell it as this model does; RDKit's names are understood.

        Raises:
            UsageError: for an unknown name or class, an empty range, or a value that cannot be.
        """
        spelled: dict[str, float | Ends | str] = {}
        for name, wanted in targets.items():
            same = self.spell(name)
            if same in spelled:
                raise UsageError(f"target {same}: given twice; give one point or one range.")
            spelled[same] = wanted
        ranges = as_ranges(spelled, self.normalizer)
        for name, wanted in ranges.items():
            if isinstance(wanted, str) or name not in PROPERTIES:
                continue
            low, high = wanted
            if low > PROPERTIES[name].high or high < PROPERTIES[name].low:
                start, end = PROPERTIES[name].low, PROPERTIES[name].high
                possible = f"at least {start:g}" if math.isinf(end) else f"{start:g} to {end:g}"
                asked = format_range(wanted)
                raise UsageError(f"target {name} = {asked}: impossible, {name} is {possible}.")
        return ranges

    def spell(self, name: str) -> str:
        """Return this model's spelling of a property or label; RDKit's names are understood.

        Raises:
            UsageError: when it has no such one, listing those it has, with their units.
        """
        names = self.normalizer.quantities
        by_lower = {known.lower(): known for known in names}
        same = name if name.lower() in by_lower else _alias(name)
        if same.lower() in by_lower:
            return by_lower[same.lower()]
        if same in PROPERTIES:
            what = f"this model was not trained on {same}."
        else:
            what = f"unknown property '{same}'{did_you_mean(same, names) or '.'}"
        known = [str(PROPERTIES.get(name, self.normalizer.describe(name))) for name in names]
        raise UsageError(f"{what} This model knows {', '.join(known) or 'none'}.")

    def generate(
        self,
        n: int,
        targets: Targets | Sequence[Targets] | None = None,
        *,
        config: GenerateConfig | None = None,
        seed: int | None = None,
        executor: Executor | None = None,
    ) -> list[Generated]:
        """Draw `n` molecules; see `draw` for the arguments and for the account of how it went."""
        return self.draw(n, targets, config=config, seed=seed, executor=executor).molecules

    def draw(
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
    ) -> Generation:
        """Draw molecules until `n` are found or `config.max_tries` is spent on each.

        On a CPU the same seed gives the same molecules, whatever `executor` and `batch_size`.

        Args:
            n: molecules wanted.
            targets: property -> value or (low, high), either end of which may be infinite; None
                or {} leaves all free. A sequence of k such requests shares the molecules out: the
                first n / k are for the first one, and so on.
            config: tier, temperature, filters; None: `defaults`, what this model does best with.
            seed: of all randomness; None draws one, which the summary reports.
            exclude: SMILES of molecules that are not wanted, as `standardize` spells them.
            executor: does the chemistry, for example that of `executors.process_pool`; None does it
                here.
            batch_size: draws under way before their chemistry is done.
            report: called with the number of molecules found so far.
            should_stop: asked between batches; true returns what is found.

        Raises:
            UsageError: for a request that cannot be meant.
        """
        config = self.checked(config or self.defaults)
        if n < 1:
            raise UsageError(f"n = {n}: ask for at least one molecule.")
        many = [targets or {}] if targets is None or isinstance(targets, Mapping) else list(targets)
        if not many:
            raise UsageError("the list of targets is empty.")
        if n < len(many):
            raise UsageError(f"n = {n}: fewer molecules than the {len(many)} sets of targets.")
        asked = [self.ranges(one) for one in many]
        return self.fill(
            n,
            asked,
            config=config,
            seed=seed,
            executor=executor,
            batch_size=batch_size,
            report=report,
            should_stop=should_stop,
            ood=[self.is_ood(one) for one in asked],
            excluded=exclude,
        )

    def fill(
        self,
        n: int,
        asked: Sequence[Mapping[str, Wanted]],
        *,
        config: GenerateConfig,
        seed: int | None,
        executor: Executor | None,
        batch_size: int,
        report: Callable[[int], None],
        should_stop: Callable[[], bool],
        codes: Codes | None = None,
        excluded: Iterable[str] = (),
        ood: Sequence[bool] | None = None,
    ) -> Generation:
        """Draw `n` molecules from given codes: what `draw` and the variants of a molecule share.

        Args:
            n: molecules wanted.
            asked: the requests, of which each has the same share of the molecules.
            config: as `checked` returns it.
            seed: as of `draw`, like the next four.
            executor: does the chemistry.
            batch_size: draws under way.
            report: called with the number of molecules found.
            should_stop: asked between batches.
            codes: where latent codes come from; None: the model's prior.
            excluded: canonical SMILES that are not wanted, as the training set spells them.
            ood: for each request, whether the training set has nothing like it; None: told by its
                properties one by one.
        """
        seed = secrets.randbelow(2**32) if seed is None else seed
        drawing = Drawing(
            partial(
                write,
                checkpoint=self.checkpoint,
                config=config,
                seed=seed,
                codes=codes,
                read=bool(self.labels),
            ),
            n,
            asked,
            config=config,
            seed=seed,
            normalizer=self.normalizer,
            index=self.checkpoint.index,
            measured=self.measured,
            standardization=self.standardization,
            ood=ood,
            excluded=excluded,
        )
        begun = time.monotonic()
        drawing.run(
            decode_and_check_all if executor is None else partial(_spread, executor),
            at_once=max(1, batch_size // TILE) * TILE,
            report=report,
            should_stop=should_stop,
        )
        return drawing.result(model=self.name, seconds=time.monotonic() - begun)

    def feasibility(self, targets: Targets) -> Feasibility | None:
        """Tell what the training set has of a combination of properties, before any is drawn.

        Returns:
            None where nothing is asked, or the model carries no sample of its training set.

        Raises:
            UsageError: for a request that cannot be meant.
        """
        ranges = self.ranges(targets)
        return None if self._sample is None else self._sample.judge(ranges)

    @cached_property
    def _sample(self) -> PropertySample | None:
        """The sample of the training set; it remembers what it found out for one request."""
        conditions = self.checkpoint.sample
        return None if conditions is None else PropertySample(conditions, self.normalizer)

    def is_ood(self, targets: Targets) -> bool:
        """Tell whether the training set has nothing like what is asked, by itself or together.

        Raises:
            UsageError: for a request that cannot be meant.
        """
        ranges = self.ranges(targets)
        found = self.feasibility(ranges)
        return bool(unfamiliar(ranges, self.normalizer)) or (found is not None and found.ood)

    def checked(
        self, config: GenerateConfig, *, base: GenerateConfig | None = None
    ) -> GenerateConfig:
        """Return a configuration that this model can draw with; None becomes what `base` has.

        Args:
            config: what is wanted.
            base: a whole configuration; None: `defaults`.

        Raises:
            ConfigError: for a value out of its range.
            UsageError: for noise that the decoder was not taught.
        """
        base = base or self.defaults
        if config.temperature is None:  # what was found for one noise level is not for another
            other = config.noise is not None and config.noise != base.noise
            fitting = temperature_at(config.noise or 0.0) if other else base.temperature
            config = replace(config, temperature=fitting)
        if config.noise is None:
            config = replace(config, noise=base.noise)
        check_noise(self.checkpoint, config.noise)
        return check(config)

    def standardize(self, smiles: Sequence[str]) -> list[str]:
        """Return molecules as the model's training set spells them: canonical, in its form.

        Raises:
            Rejected: for a string that is no molecule.
            UsageError: for no molecules, or one string in place of a list.
        """
        return [seen.smiles for seen in self._look(smiles, "standardize")]

    def encode(self, smiles: Sequence[str]) -> np.ndarray:
        """Return the latent codes (posterior means) of molecules, float32, shape (N, Z).

        Raises:
            Rejected: for a string that is no molecule, or a symbol that the model does not know.
            UsageError: for no molecules, or one string in place of a list.
        """
        if isinstance(smiles, str) or not len(smiles):
            raise UsageError(f"encode({smiles!r}): give a list of SMILES, such as ['CCO'].")
        molecules = [symbols_of(text, self.standardization) for text in smiles]
        codes: np.ndarray = read(self.checkpoint, molecules).mean.cpu().numpy()
        return codes

    def predict(self, smiles: Sequence[str]) -> list[Prediction]:
        """Read the properties and labels of molecules off their latent codes.

        How far such readings were from the truth on molecules held out of training is in
        `checkpoint.provenance["head"]["errors"]`, in the units of the properties.

        Raises:
            Rejected: for a string that is no molecule.
            UsageError: for no molecules, or one string in place of a list.
        """
        return predict_all(self.checkpoint, self._look(smiles, "predict"))

    def score(self, smiles: Sequence[str], *, codes: int = CODES) -> list[Score]:
        """Tell how likely the model holds molecules to be, and whether it has learned their kind.

        Args:
            smiles: the molecules.
            codes: drawn for each one's ELBO; more of them make it tighter and take longer.

        Raises:
            Rejected: for a string that is no molecule.
            UsageError: for no molecules, or one string in place of a list.
        """
        return score_all(self.checkpoint, self._look(smiles, "score"), codes=codes)

    def reconstruct(self, smiles: Sequence[str], *, alone: bool = False) -> list[Reconstruction]:
        """Encode molecules to their posterior means and write these back; see `reconstructions`.

        Args:
            smiles: the molecules.
            alone: withhold the molecules' own properties from the decoder.

        Raises:
            Rejected: for a string that is no molecule, or a symbol that the model does not know.
            UsageError: for no molecules, or one string in place of a list.
        """
        molecules = self._look(smiles, "reconstruct")
        return reconstruct_all(self.checkpoint, molecules, alone=alone)

    def interpolate(
        self,
        first: str,
        last: str,
        n: int = 9,
        *,
        path: str = "spherical",
        targets: Targets | None = None,
        search: Search = SEARCH,
    ) -> list[Step]:
        """Write the molecules on a path between the codes of two molecules; see `series`.

        Args:
            first: where it begins.
            last: where it ends.
            n: molecules, both ends included.
            path: one of `series.PATHS`.
            targets: properties that stay the same on all of the path; the others go along.
            search: how the molecules between are looked for.

        Raises:
            Rejected: for a string that is no molecule, or a symbol that the model does not know.
            UsageError: for a number, path or target that cannot be meant.
        """
        start, end = self._look([first, last], "interpolate")
        ranges = self.ranges(targets or {})
        return interpolate(
            self.checkpoint, (start, end), n, path=path, ranges=ranges, search=search
        )

    def sweep(
        self, smiles: str, name: str, values: Sequence[float], *, search: Search = SEARCH
    ) -> list[Step]:
        """Give a molecule one property's values in turn and change little else; see `series`.

        Args:
            smiles: the molecule.
            name: the property.
            values: in its unit.
            search: how the molecules are looked for.

        Raises:
            Rejected: for a string that is no molecule, or a symbol that the model does not know.
            UsageError: for an unknown property, a class label, or values that cannot be.
        """
        (start,) = self._look([smiles], "sweep")
        for value in values:
            self.ranges({name: value})
        name = self.spell(name)
        return sweep(self.checkpoint, start, name, values, search=search)

    def _look(self, smiles: Sequence[str], asked: str) -> list[PreparedMolecule]:
        if isinstance(smiles, str) or not len(smiles):
            raise UsageError(f"{asked}({smiles!r}): give a list of SMILES, such as ['CCO'].")
        molecules = []
        for found in standardize_and_measure(self.standardization, self.measured, smiles):
            if isinstance(found, Rejected):
                raise found
            molecules.append(found)
        return molecules

    def decode(self, codes: np.ndarray, targets: Targets | None = None) -> list[str]:
        """Write the likeliest molecule of each latent code, shape (N, Z), as canonical SMILES.

        Args:
            codes: for example from `encode`.
            targets: points that all of them are asked for.

        Raises:
            UsageError: for codes of another shape or not finite, or targets that cannot be meant.
        """
        codes = np.asarray(codes, dtype=np.float32)
        size = self.checkpoint.model.config.latent_size
        if codes.ndim != 2 or codes.shape[1] != size or not len(codes):
            raise UsageError(f"codes of shape {codes.shape}: (N, {size}) is expected.")
        if not np.isfinite(codes).all():
            raise UsageError("codes that are not finite cannot be decoded.")
        ranges = self.ranges(targets or {})
        row = choose_point(ranges, self.normalizer, np.random.default_rng(0))
        written = write_codes(
            self.checkpoint, torch.from_numpy(codes), np.tile(row, (len(codes), 1))
        )
        return [decode_canonical(each.symbols) for each in written]


def _spread(executor: Executor, work: list[tuple[list[str], Checks]]) -> Iterable[Candidate]:
    """Have an executor examine draws; what is returned waits for them, in order.

    A worker's death costs the one guilty draw only.
    """
    return (
        Candidate("", False, refusal=found.reason) if isinstance(found, Lost) else found
        for _, found in map_chunks(decode_and_check_all, work, jobs=executor, chunk_size=PIECE)
    )


def _defaults(checkpoint: Checkpoint) -> GenerateConfig:
    """Return how a model draws best, as was found for it, or else for its kind."""
    kind = NO_CODES if checkpoint.model.config.noise_conditional else WHOLE_CODES
    given = checkpoint.provenance.get("defaults", {})
    try:
        found = updated(kind, dict(given), where="the model's defaults")
    except (TypeError, ValueError, ConfigError) as error:
        raise ArtifactError(f"the model is damaged: its defaults: {error}") from error
    if found.noise is None or found.temperature is None:
        raise ArtifactError("the model is damaged: its defaults hold null.")
    return found


def _alias(name: str) -> str:
    """Return our name of a property by any of its names, or `name` when there is none."""
    try:
        return resolve_property(name).name
    except UsageError:
        return name
