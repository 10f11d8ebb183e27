"""Reconstruction of held-out molecules, and the use of their latent codes.

A high rate of exact reconstruction is easy without a bound on the codes (an autoencoder), so the KL
divergence from N(0, I) is reported too, and the loss without the right code. A molecule with a
symbol unknown to the model counts as not reconstructed.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch

from molvae.chem.selfies import decode_canonical
from molvae.chem.similarity import tanimoto
from molvae.dataset import SPLIT_NAMES, MoleculeDataset
from molvae.errors import InputError, Rejected
from molvae.evaluate.text import aligned, cell
from molvae.files.plain import plain
from molvae.generation.decode import GREEDY
from molvae.generator import MoleculeGenerator
from molvae.model.latent import Posterior
from molvae.suites.latent_space import latent_verdicts, linear_probe, prior_gap
from molvae.suites.tokenized import TokenizedMolecules
from molvae.train.health import Health, measure_health

FORMAT = 1  # of the JSON
MAX_KL = 60.0  # nats per molecule; above, the codes are hardly bounded
MINIMUM = 100  # molecules for a meaningful probe or classifier
MAX_GAP = 1.0  # nats by which the loss on held-out molecules may exceed that in training
WAYS = {
    "from_mean": "posterior mean, own properties",
    "from_sample": "z ~ q, own properties",
    "from_mean_alone": "posterior mean alone",
    "from_sample_alone": "z ~ q alone",
}


class Reconstruction(NamedTuple):
    """The result of the reconstruction benchmark.

    `ways` has for each of `WAYS` the share `exact`, by canonical SMILES, of all N, and the mean
    `tanimoto` to the original (Morgan, radius 2, 1024 bits; 1 if exact, 0 if it cannot be encoded).
    `memorization` has the loss on training molecules and on these, and the difference, in nats:
    -log p(x given c) if the decoder was trained with noise, else its bound, reconstruction + KL.
    """

    model: str
    source: str  # file of the molecules
    molecules: int  # N, including molecules that the model cannot encode
    left_out: Mapping[str, int]  # these molecules, by reason
    ways: Mapping[str, Mapping[str, float]]
    health: Mapping[str, Any]  # see `train.health.Health`; nats per molecule
    probe: Mapping[str, float | None]  # R2 of each property, linearly from the posterior mean
    prior: Mapping[str, float]  # see `latent_space.prior_gap`
    memorization: Mapping[str, float]  # empty without a training set
    passed: Mapping[str, bool]  # by the name of each test
    seed: int
    versions: Mapping[str, str]  # and the machine

    def to_json(self) -> str:
        """Return everything as JSON text."""
        return json.dumps({"format": FORMAT, **self._asdict()}, indent=2, allow_nan=False)

    def table(self) -> list[str]:
        """Return the figures as columns of text."""
        rows = [[title, *(cell(v) for v in self.ways[way].values())] for way, title in WAYS.items()]
        failed = [name for name, good in self.passed.items() if not good]
        nats = {
            "KL to N(0, I), nats": self.health["kl"],
            "reconstruction, nats": self.health["reconstruction"],
            "active units, share": self.health["active_units"],
            "loss added by shuffled codes, nats": self.health["shuffled_z"],
            "loss added by shuffled properties, nats": self.health["shuffled_c"],
            "prior against posterior, AUC": self.prior["auc"],
            "the same, given all properties": self.prior["auc_given"],
            "acceptance, posterior codes": self.prior["acceptance_posterior"],
            "acceptance, prior codes": self.prior["acceptance_prior"],
        }
        if self.memorization:
            nats["held out minus training, nats"] = self.memorization["gap"]
        return [
            f"{self.model}: {self.molecules:,} molecules of {self.source}, greedy",
            "",
            *aligned([["", "exact", "Tanimoto"], *rows]),
            "",
            *aligned([name, cell(value)] for name, value in nats.items()),
            "",
            *aligned([["linear probe", "R2"], *([n, cell(v)] for n, v in self.probe.items())]),
            "",
            f"fails: {', '.join(failed)}" if failed else "passes all tests",
        ]


def reconstruct(
    generator: MoleculeGenerator,
    held_out: TokenizedMolecules,
    *,
    name: str,
    seed: int,
    versions: Mapping[str, str],
    training: TokenizedMolecules | None = None,
) -> Reconstruction:
    """Encode held-out molecules, decode them, and measure the codes.

    Raises:
        InputError: for fewer than 100 molecules that the model can encode.
    """
    dataset = held_out.dataset
    count = dataset.size + sum(held_out.left_out.values())
    if dataset.size < MINIMUM:
        raise InputError(
            f"{held_out.name}: {dataset.size} of {count} molecules can be encoded; at least"
            f" {MINIMUM} are needed."
        )
    symbols = [generator.vocabulary.decode(dataset.molecule(r)) for r in range(dataset.size)]
    posterior = generator.model.encode(symbols)
    posterior = Posterior(posterior.mean.cpu(), posterior.log_var.cpu())
    own = torch.from_numpy(generator.normalizer.normalize(dataset.properties))
    originals = [decode_canonical(molecule) for molecule in symbols]
    back = _written(generator, posterior, dataset.properties, seed=seed)
    health = _health(generator, dataset, seed=seed)
    memorization = {}
    if training is not None:
        of_training = _health(generator, training.dataset, seed=seed)
        nats = {"training": _nats(of_training), "held_out": _nats(health)}
        memorization = {**nats, "gap": nats["held_out"] - nats["training"]}
    gap = prior_gap(generator, posterior, own, seed=seed)
    passed = health.verdicts() | latent_verdicts(gap) | {"kl_bounded": health.kl <= MAX_KL}
    if memorization:
        passed["memorization"] = memorization["gap"] <= MAX_GAP
    return Reconstruction(
        model=name,
        source=held_out.name,
        molecules=count,
        left_out=held_out.left_out,
        ways={way: _alike(originals, written, count) for way, written in back.items()},
        health=plain(health._asdict()),
        probe=linear_probe(
            posterior.mean.numpy(), dataset.properties, generator.normalizer.names, seed=seed
        ),
        prior=gap,
        memorization=memorization,
        passed=passed,
        seed=seed,
        versions=versions,
    )


def _written(
    generator: MoleculeGenerator, posterior: Posterior, own: np.ndarray, *, seed: int
) -> dict[str, list[str]]:
    """Decode molecules in each of `WAYS`, with or without their properties (N, P)."""
    noise = torch.randn(posterior.mean.shape, generator=torch.Generator().manual_seed(seed))
    mean, sample, nothing = posterior.mean, posterior.sample(noise), np.full_like(own, np.nan)
    settings = ((mean, own), (sample, own), (mean, nothing), (sample, nothing))
    return {way: _write(generator, *each) for way, each in zip(WAYS, settings, strict=True)}


def _write(generator: MoleculeGenerator, z: torch.Tensor, points: np.ndarray) -> list[str]:
    """Decode each code (N, Z) greedily to canonical SMILES, "" if invalid."""
    molecules = []
    for written in generator.model.decode(z, points, GREEDY):
        try:
            molecules.append(decode_canonical(written.symbols))
        except Rejected:
            molecules.append("")
    return molecules


def _alike(originals: list[str], written: list[str], count: int) -> dict[str, float]:
    """Compare molecules with their reconstructions, as canonical SMILES, over `count`."""
    exact = np.array(originals) == np.array(written)
    pairs = zip(originals, written, strict=True)
    similar = np.where(exact, 1.0, [tanimoto(*pair) for pair in pairs])
    return {"exact": float(exact.sum()) / count, "tanimoto": float(similar.sum()) / count}


def _health(generator: MoleculeGenerator, dataset: MoleculeDataset, *, seed: int) -> Health:
    split = SPLIT_NAMES[int(dataset.split[0])]
    return measure_health(
        generator.checkpoint.model, dataset, split=split, limit=dataset.size, seed=seed
    )


def _nats(health: Health) -> float:
    if health.language_model is not None:
        return health.language_model
    return health.reconstruction + health.kl
