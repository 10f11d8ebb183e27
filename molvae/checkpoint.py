"""A trained model in one file: weights, prior, configuration, vocabulary and provenance."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch

from molvae import store
from molvae.bloom import BloomFilter
from molvae.config import ModelConfig, as_dict, updated
from molvae.errors import ArtifactError, ConfigError, InputError, did_you_mean
from molvae.model.cvae import ConditionalVAE
from molvae.model.prior import JointGaussian, Prior
from molvae.normalizer import PropertyNormalizer
from molvae.vocabulary import Vocabulary

FORMAT = 1
KIND = "checkpoint"
MODEL_FILE = "model.safetensors"  # in a run folder
MAX_PARAMETERS = 500_000_000  # a file that asks for more is not one of ours
PRIORS = {"joint-gaussian": JointGaussian}
_DAMAGE = (KeyError, TypeError, ValueError, OverflowError)  # what reading an odd header raises


@dataclass
class Checkpoint:
    """A model and all that is needed to use it.

    Attributes:
        model: in evaluation mode, float32.
        prior: p(z given c).
        vocabulary: the symbols behind the ids.
        normalizer: names and scale of the properties.
        index: the training set, for novelty.
        provenance: data, training configuration, SELFIES constraints, seed, versions, figures.
        sha256: of the file's content; empty until saved or loaded.
    """

    model: ConditionalVAE
    prior: Prior
    vocabulary: Vocabulary
    normalizer: PropertyNormalizer
    index: BloomFilter
    provenance: dict[str, Any] = field(default_factory=dict)
    sha256: str = ""

    def save(self, path: Path, *, half: bool = False) -> str:
        """Write the checkpoint to one file, atomically.

        Args:
            path: the file.
            half: store weights as float16, half the size; they are used in float32 all the same.

        Returns:
            The sha256 of the content.
        """
        kind = np.float16 if half else np.float32
        arrays = {
            f"model.{name}": tensor.detach().cpu().numpy().astype(kind)
            for name, tensor in self.model.state_dict().items()
        }
        arrays |= {f"prior.{name}": array for name, array in self.prior.arrays().items()}
        arrays["index.bits"] = self.index.bits
        header = {
            "model": as_dict(self.model.config),
            "prior": "joint-gaussian",
            "symbols": list(self.vocabulary.symbols),
            "normalizer": self.normalizer.to_dict(),
            "index": {"hashes": self.index.hashes},
            "provenance": self.provenance,
        }
        self.sha256 = store.write(path, arrays, header, kind=KIND, format=FORMAT)
        return self.sha256

    @classmethod
    def load(cls, path: Path, device: str | torch.device = "cpu") -> "Checkpoint":
        """Read a checkpoint that `save` wrote; no code from the file is run.

        Raises:
            ArtifactError: when the file is damaged, foreign, too new, or holds weights that are
                not finite or do not fit the configuration.
        """
        header = store.read_header(path, kind=KIND, format=FORMAT)
        try:
            config = updated(ModelConfig(), {**header["model"]})
            vocabulary = Vocabulary(header["symbols"])
            normalizer = PropertyNormalizer.from_dict(header["normalizer"])
            prior = PRIORS[header["prior"]]
            provenance = dict(header["provenance"])
        except (*_DAMAGE, ArtifactError, ConfigError) as error:
            raise ArtifactError(f"{path}: damaged: {error}") from error
        shapes = _expected_shapes(config, len(vocabulary), len(normalizer.names), path)
        arrays, verified = store.read(path, kind=KIND, format=FORMAT)
        if verified != header:
            raise ArtifactError(f"{path}: was replaced while it was read; try again.")
        _check_weights(arrays, shapes, path)
        with torch.device("meta"):  # no random weights are drawn only to be thrown away
            model = ConditionalVAE(config, len(vocabulary), len(normalizer.names))
        model.load_state_dict(
            {name: torch.from_numpy(arrays[f"model.{name}"].astype(np.float32)) for name in shapes},
            assign=True,
        )
        try:
            fitted = prior.from_arrays(
                _under(arrays, "prior."),
                latent_size=config.latent_size,
                n_conditions=len(normalizer.names),
            )
        except KeyError as error:
            raise ArtifactError(f"{path}: damaged: its prior lacks {error}.") from error
        except ArtifactError as error:
            raise ArtifactError(f"{path}: damaged: {error}") from error
        return cls(
            model=model.eval().to(device),
            prior=fitted,
            vocabulary=vocabulary,
            normalizer=normalizer,
            index=_index(arrays, header, path),
            provenance=provenance,
            sha256=store.read_sha256(path),
        )


def _under(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {n.removeprefix(prefix): array for n, array in arrays.items() if n.startswith(prefix)}


def _expected_shapes(
    config: ModelConfig, vocabulary_size: int, n_conditions: int, path: Path
) -> dict[str, torch.Size]:
    """Return the shape of every weight that the configuration implies, without allocating any."""
    with torch.device("meta"):
        model = ConditionalVAE(config, vocabulary_size, n_conditions)
    if sum(weight.numel() for weight in model.parameters()) > MAX_PARAMETERS:
        raise ArtifactError(f"{path}: its configuration asks for an absurd number of weights.")
    return {name: weight.shape for name, weight in model.state_dict().items()}


def _check_weights(
    arrays: Mapping[str, np.ndarray], shapes: Mapping[str, torch.Size], path: Path
) -> None:
    weights = _under(arrays, "model.")
    if weights.keys() != shapes.keys():
        odd = sorted(weights.keys() ^ shapes.keys())
        raise ArtifactError(
            f"{path}: damaged: missing or unexpected weights: {', '.join(odd[:5])}."
        )
    for name, array in weights.items():
        if array.shape != tuple(shapes[name]) or array.dtype not in (np.float16, np.float32):
            raise ArtifactError(
                f"{path}: damaged: {name} has shape {array.shape}, {tuple(shapes[name])} expected."
            )
        if not np.isfinite(array).all():
            raise ArtifactError(f"{path}: damaged: {name} holds values that are not finite.")


def _index(arrays: Mapping[str, np.ndarray], header: Mapping[str, Any], path: Path) -> BloomFilter:
    try:
        bits, hashes = arrays["index.bits"], int(header["index"]["hashes"])
    except _DAMAGE as error:
        raise ArtifactError(f"{path}: damaged: its index of the training set: {error}.") from error
    if bits.dtype != np.uint8 or bits.ndim != 1 or not bits.size or not 1 <= hashes <= 64:
        raise ArtifactError(f"{path}: damaged: its index of the training set is none.")
    return BloomFilter(bits, hashes)


def read_training_index(path: Path) -> BloomFilter:
    """Read only the index of the training set that a checkpoint carries.

    Raises:
        ArtifactError: when the file is damaged or foreign.
    """
    arrays, header = store.read(path, kind=KIND, format=FORMAT)
    return _index(arrays, header, path)


def read_header(path: Path) -> dict[str, Any]:
    """Read a checkpoint's header without its weights."""
    return store.read_header(path, kind=KIND, format=FORMAT)


def bundled_models() -> dict[str, Path]:
    """Return the models that ship with molvae: name -> file."""
    folder = resources.files("molvae") / "models"
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
    """
    bundled = bundled_models()
    if str(model) in bundled:
        return bundled[str(model)]
    path = Path(model)
    if path.is_dir() and (path / MODEL_FILE).is_file():
        return path / MODEL_FILE
    if path.is_file():
        return path
    raise InputError(
        f"{model}: neither a file, a run folder, nor a bundled model"
        f"{did_you_mean(str(model), bundled) or '.'}"
        f" Bundled: {', '.join(bundled) or 'none'}."
    )
