"""A trained model in one file: weights, prior, configuration, vocabulary and provenance."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from molvae.arguments import as_path
from molvae.config import ModelConfig, PriorConfig, as_dict, check_supported, updated
from molvae.dataset import FINGERPRINTS, RINGS, check_fingerprints, read_rings
from molvae.errors import ArtifactError, ConfigError, InputError, MolvaeError, did_you_mean
from molvae.files import store
from molvae.model.cvae import ConditionalVAE
from molvae.model.prior import JointGaussian, Prior, StandardNormal
from molvae.normalizer import PropertyNormalizer
from molvae.training_index import BloomFilter, RingSystems
from molvae.vocabulary import Vocabulary

FORMAT = 2  # since which fingerprints and ring systems may be in it
KIND = "checkpoint"
MODEL_FILE = "model.safetensors"  # in a run folder
SAMPLE_MOLECULES = 4096  # a combination that one molecule in a thousand has is among them
SAMPLE = "sample.conditions"
OPTIONAL = {SAMPLE, FINGERPRINTS, RINGS}  # arrays that a model may lack
MAX_PARAMETERS = 500_000_000  # more in a file means damage
Part = TypeVar("Part")
# Raised when an odd header is read.
_DAMAGE = (AttributeError, KeyError, TypeError, ValueError, OverflowError)


@dataclass
class Checkpoint:
    """A model with everything that its use needs.

    Attributes:
        model: in evaluation mode, float32.
        prior: p(z given c).
        vocabulary: the symbols behind the ids.
        normalizer: names and scale of the properties.
        index: the training set, for novelty.
        sample: standardized properties of some training molecules, NaN where unknown, float32,
            shape (M, P); None in a model that was trained before they were kept.
        fingerprints: of the training molecules, as in a `MoleculeDataset`.
        rings: the ring systems of the training set that are not rare; None in a model that was
            trained before they were kept.
        provenance: data, training configuration, SELFIES constraints, seed, versions, figures.
        sha256: of the file's content; empty before it is saved or loaded.
    """

    model: ConditionalVAE
    prior: Prior
    vocabulary: Vocabulary
    normalizer: PropertyNormalizer
    index: BloomFilter
    sample: np.ndarray | None = None
    fingerprints: np.ndarray | None = None
    rings: RingSystems | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    sha256: str = ""

    def save(self, path: Path, *, half: bool = False) -> str:
        """Write the checkpoint to one file, atomically.

        Args:
            path: the file.
            half: store weights as float16, half the size; they are loaded as float32. An array
                with a number too large for float16 stays float32.

        Returns:
            The sha256 of the content.

        Raises:
            MolvaeError: when a weight is not finite, or the file cannot be written.
        """
        arrays: dict[str, np.ndarray] = {
            f"model.{name}": tensor.detach().cpu().numpy().astype(np.float32)
            for name, tensor in self.model.state_dict().items()
        }
        arrays |= {f"prior.{name}": array for name, array in self.prior.arrays().items()}
        arrays["index.bits"] = self.index.bits
        for name, array in arrays.items():
            if not np.isfinite(array).all():
                raise MolvaeError(f"{path}: not written, because {name} is not finite.")
        if self.sample is not None:
            arrays[SAMPLE] = self.sample
        if self.fingerprints is not None:
            arrays[FINGERPRINTS] = self.fingerprints
        if half:
            arrays = {name: _halved(array) for name, array in arrays.items()}
        header = {
            "model": as_dict(self.model.config),
            "prior": as_dict(self.prior.config),
            "symbols": list(self.vocabulary.symbols),
            "normalizer": self.normalizer.to_dict(),
            "index": {"hashes": self.index.hashes},
            "provenance": self.provenance,
        }
        if self.rings is not None:
            arrays[RINGS], header["rings"] = self.rings.to_array(), self.rings.to_dict()
        self.sha256 = store.write(path, arrays, header, kind=KIND, format=FORMAT)
        return self.sha256

    @classmethod
    def load(cls, path: Path, device: str | torch.device = "cpu") -> "Checkpoint":
        """Read a checkpoint that `save` wrote; no code from the file is run.

        Raises:
            ArtifactError: when the file is damaged, foreign, too new, or holds weights that are
                not finite or do not fit the configuration.
        """
        stored = store.look(path, kind=KIND, format=FORMAT)
        _check_supported(stored)
        config = _part(stored, "model", lambda plain: updated(ModelConfig(), {**plain}))
        vocabulary = _part(stored, "symbols", Vocabulary)
        normalizer = _part(stored, "normalizer", PropertyNormalizer.from_dict)
        prior = _part(stored, "prior", _prior_config)
        hashes = _part(stored, "index", _hashes)
        provenance = _part(stored, "provenance", dict)
        shapes = _expected_shapes(config, len(vocabulary), len(normalizer.names), path)
        _check_layout(stored, shapes, len(normalizer.names))  # before any of it takes memory
        arrays = store.load(stored)
        sample, fingerprints = arrays.pop(SAMPLE, None), arrays.pop(FINGERPRINTS, None)
        rings = read_rings(stored, arrays)
        _check_finite(arrays, path)
        with torch.device("meta"):  # without random initial weights
            model = ConditionalVAE(config, len(vocabulary), len(normalizer.names))
        model.load_state_dict(
            {name: torch.from_numpy(arrays[f"model.{name}"].astype(np.float32)) for name in shapes},
            assign=True,
        )
        return cls(
            model=model.eval().to(device),
            prior=_fitted(prior, arrays, (config.latent_size, len(normalizer.names)), path),
            vocabulary=vocabulary,
            normalizer=normalizer,
            index=BloomFilter(arrays["index.bits"], hashes),
            sample=None if sample is None else _checked_sample(sample, path),
            fingerprints=fingerprints,
            rings=rings,
            provenance=provenance,
            sha256=stored.sha256,
        )


def _halved(array: np.ndarray) -> np.ndarray:
    """Return float32 numbers as float16 unless one is above 65,504; other types stay."""
    fits = np.abs(array).max(initial=0.0) <= np.finfo(np.float16).max
    return array.astype(np.float16) if fits and array.dtype == np.float32 else array


def _check_supported(stored: store.Stored) -> None:
    prior = stored.header.get("prior")
    kind = prior.get("prior") if isinstance(prior, Mapping) else prior
    try:
        check_supported(stored.path, merges=stored.header.get("merges"), prior=kind)
    except ConfigError as error:
        raise ArtifactError(str(error)) from error


def _part(stored: store.Stored, name: str, understand: Callable[[Any], Part]) -> Part:
    """Return one part of a header, checked: the file may come from anywhere."""
    try:
        return understand(stored.header[name])
    except (*_DAMAGE, ArtifactError, ConfigError) as error:
        why = "is missing" if name not in stored.header else f"{error}"
        raise ArtifactError(f"{stored.path}: damaged: its {name}: {why:.300}") from error


def _prior_config(plain: str | Mapping[str, Any]) -> PriorConfig:
    """Return the settings of the prior; the first models have its kind alone."""
    return updated(PriorConfig(), {"prior": plain} if isinstance(plain, str) else {**plain})


def _hashes(index: Mapping[str, Any]) -> int:
    hashes = index["hashes"]
    if not isinstance(hashes, int) or not 1 <= hashes <= 64:
        raise ArtifactError(f"hashes = {hashes!r}, 1 to 64 are possible.")
    return hashes


def _expected_shapes(
    config: ModelConfig, vocabulary_size: int, n_conditions: int, path: Path
) -> dict[str, torch.Size]:
    """Return the shape of every weight that the configuration implies, without allocating any."""
    with torch.device("meta"):
        model = ConditionalVAE(config, vocabulary_size, n_conditions)
    if sum(weight.numel() for weight in model.parameters()) > MAX_PARAMETERS:
        raise ArtifactError(f"{path}: its configuration asks for an absurd number of weights.")
    return {name: weight.shape for name, weight in model.state_dict().items()}


def _check_layout(
    stored: store.Stored, shapes: Mapping[str, torch.Size], n_conditions: int
) -> None:
    """Check the arrays that a file declares against those that its configuration implies."""
    weights = {f"model.{name}": tuple(shape) for name, shape in shapes.items()}
    declared = {name for name in stored.layout if not name.startswith("prior.")} - OPTIONAL
    if odd := sorted(declared ^ (weights.keys() | {"index.bits"})):
        raise ArtifactError(
            f"{stored.path}: damaged: missing or unexpected weights: {', '.join(odd[:5]):.300}."
        )
    for name, expected in weights.items():
        kind, shape = stored.layout[name]
        if shape != expected or kind not in ("F16", "F32"):
            raise ArtifactError(
                f"{stored.path}: damaged: {name} has shape {shape}, type {kind:.20};"
                f" {expected} of F16 or F32 is expected."
            )
    _check_index(stored)
    check_fingerprints(stored)
    kind, shape = stored.layout.get(SAMPLE, ("F32", (1, n_conditions)))
    if kind not in ("F16", "F32") or len(shape) != 2 or shape[1] != n_conditions or not shape[0]:
        raise ArtifactError(
            f"{stored.path}: damaged: its sample of the training set has shape {shape}."
        )


def _checked_sample(sample: np.ndarray, path: Path) -> np.ndarray:
    if np.isinf(sample).any():
        raise ArtifactError(f"{path}: damaged: its sample of the training set is not finite.")
    return sample.astype(np.float32)


def _check_index(stored: store.Stored) -> None:
    kind, shape = stored.layout.get("index.bits", ("", ()))
    if kind != "U8" or len(shape) != 1 or not shape[0]:
        raise ArtifactError(f"{stored.path}: damaged: its index of the training set is none.")


def _check_finite(arrays: Mapping[str, np.ndarray], path: Path) -> None:
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ArtifactError(f"{path}: damaged: {name} holds values that are not finite.")


def _fitted(
    config: PriorConfig,
    arrays: Mapping[str, np.ndarray],
    sizes: tuple[int, int],
    path: Path,
) -> Prior:
    """Return the prior, of sizes (Z, P), checked: the file has no other arrays for it."""
    given = {n.removeprefix("prior."): a for n, a in arrays.items() if n.startswith("prior.")}
    try:
        prior: Prior = (
            StandardNormal()
            if config.prior == "standard"
            else JointGaussian.from_arrays(given, latent_size=sizes[0], n_conditions=sizes[1])
        )
    except KeyError as error:
        raise ArtifactError(f"{path}: damaged: its prior lacks {error}.") from error
    except ArtifactError as error:
        raise ArtifactError(f"{path}: damaged: {error}") from error
    if odd := sorted(given.keys() - prior.arrays().keys()):
        raise ArtifactError(f"{path}: damaged: its prior holds {odd[0]!r:.40} besides.")
    return prior


def read_training_index(path: Path) -> BloomFilter:
    """Read only the index of the training set that a checkpoint carries.

    Raises:
        ArtifactError: when the file is damaged or foreign.
    """
    stored = store.look(path, kind=KIND, format=FORMAT)
    hashes = _part(stored, "index", _hashes)
    _check_index(stored)
    return BloomFilter(store.load(stored)["index.bits"], hashes)


def read_normalizer(path: Path) -> PropertyNormalizer:
    """Read only the names and scales of a model's properties, which targets are checked against.

    Raises:
        ArtifactError: when the file is damaged or foreign.
    """
    return _part(
        store.look(path, kind=KIND, format=FORMAT), "normalizer", PropertyNormalizer.from_dict
    )


def read_header(path: Path) -> dict[str, Any]:
    """Read a checkpoint's header without its weights."""
    return store.read_header(path, kind=KIND, format=FORMAT)


def bundled_models() -> dict[str, Path]:
    """Return the models that ship with molvae: name -> file."""
    folder = resources.files("molvae") / "weights"
    found = {}
    if folder.is_dir():
        for item in folder.iterdir():
            if item.name.endswith(".safetensors"):
                found[item.name.removesuffix(".safetensors")] = Path(str(item))
    return dict(sorted(found.items()))


def find_model(model: str | Path) -> Path:
    """Return the file of a model: a file, a run folder, or the name of a bundled model.

    Raises:
        InputError: when it is none of these, listing the bundled ones.
        UsageError: when it is not even a path.
    """
    bundled = bundled_models()
    path = as_path("model", model)
    if str(model) in bundled:
        return bundled[str(model)]
    if path.is_dir() and (path / MODEL_FILE).is_file():
        return path / MODEL_FILE
    if path.is_file():
        return path
    raise InputError(
        f"{model}: neither a file, a run folder, nor a bundled model"
        f"{did_you_mean(str(model), bundled) or '.'}"
        f" Bundled: {', '.join(bundled) or 'none'}."
    )
