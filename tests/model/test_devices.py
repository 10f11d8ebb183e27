"""The model on other devices than the CPU: no operation mixes in a tensor that was made there."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

from molvae.config import ModelConfig, TrainConfig
from molvae.dataset import MoleculeDataset
from molvae.model import sampling
from molvae.model.cvae import ConditionalVAE
from molvae.model.likelihood import likelihood, noise_of
from molvae.model.sampling import NEVER_SAMPLED, choose, guide, sample
from molvae.train.batches import DrawnBatch, collate
from molvae.train.optimizer import make_optimizer
from molvae.train.precision import Precision
from molvae.train.step import elbo, untrained
from tests import tiny

MODELS = [
    replace(tiny.MODEL, decoder_layers=2, film=film, noise_conditional=noise)
    for film, noise in product((False, True), repeat=2)
]
META = torch.device("meta")
every_model = pytest.mark.parametrize(
    "config", MODELS, ids=lambda c: f"film={c.film}, noise={c.noise_conditional}"
)
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")


def shortest(dataset: MoleculeDataset) -> np.ndarray:
    """Return the rows of the dozen shortest molecules: on `meta`, each symbol takes long."""
    rows = dataset.members("train")
    return rows[np.argsort(dataset.lengths[rows], kind="stable")[:12]]


def drawn(dataset: MoleculeDataset, config: ModelConfig) -> DrawnBatch:
    batch = collate(dataset, shortest(dataset))
    groups = dataset.normalizer.groups
    return DrawnBatch.draw(batch, torch.Generator().manual_seed(0), model=config, groups=groups)


def on_meta(dataset: MoleculeDataset, config: ModelConfig) -> tuple[ConditionalVAE, DrawnBatch]:
    return untrained(dataset, config, seed=0).to(META), drawn(dataset, config).to(META)


@every_model
@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_a_training_step_stays_on_its_device(
    optimizer: str, config: ModelConfig, drug_dataset: MoleculeDataset
) -> None:
    model, batch = on_meta(drug_dataset, config)
    terms = elbo(model, batch, Precision.choose("fp32", META))
    assert {term.device for term in (*terms, terms.sums())} == {META}
    terms.loss(TrainConfig(free_nats=1.0), beta=1.0).backward()
    make_optimizer(model, TrainConfig(optimizer=optimizer)).step()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.device == META, name


@every_model
@torch.no_grad()
def test_encoding_decoding_and_likelihood_stay_on_their_device(
    config: ModelConfig, drug_dataset: MoleculeDataset
) -> None:
    model, batch = on_meta(drug_dataset, config)
    posterior = model.encode(batch.ids, batch.lengths)
    logits = model.decode(posterior.mean, batch.conditions, batch.ids)
    found = likelihood(
        model, batch.ids, batch.lengths, batch.conditions, torch.stack([batch.noise] * 2)
    )
    assert {each.device for each in (*posterior, *found, logits)} == {META}


@every_model
@pytest.mark.parametrize("guidance", [1.0, 2.0])
@pytest.mark.parametrize(("temperature", "top_p"), [(0.0, 1.0), (0.7, 1.0), (0.7, 0.9)])
@torch.no_grad()
def test_a_sampling_step_stays_on_its_device(
    temperature: float,
    top_p: float,
    guidance: float,
    config: ModelConfig,
    drug_dataset: MoleculeDataset,
) -> None:
    """One step: when a string ends depends on values, which this device does not have."""
    model, batch = on_meta(drug_dataset, config)
    stepper, live = model.decoder.stepper(), 5
    free = torch.full_like(batch.conditions, float("nan"))
    nothing = batch.ids[:, :0]
    starts = [
        sampling._starts(model, stepper, batch.noise, conditions, nothing, noise=0.5, live=live)[
            :-1
        ]
        for conditions in (batch.conditions, free)[: 1 + (guidance != 1.0)]
    ]
    writing = sampling._Writing(stepper, starts, live, prefix=nothing)
    state = (writing.molecule, writing.position, writing.last, *writing.rows)
    assert {each.device for each in state} == {META}
    log_p, guided = guide(
        writing.logits(), guidance, never=torch.tensor(NEVER_SAMPLED, device=META)
    )
    uniforms = torch.empty(live, device=META)
    chosen = choose(guided, uniforms, temperature=temperature, top_p=top_p)
    assert log_p.gather(1, chosen[:, None]).shape == (live, 1)
    assert chosen.device == META


def assert_close(one: Tensor, other: Tensor) -> None:
    """Compare by their norms: a GPU rounds the products of an LSTM to TF32."""
    assert float((one.detach().cpu() - other.detach()).norm() / other.detach().norm()) < 1e-2


@pytest.mark.gpu
@needs_gpu
@every_model
def test_a_gpu_computes_the_loss_and_the_gradients_of_the_cpu(
    config: ModelConfig, drug_dataset: MoleculeDataset
) -> None:
    results = []
    for device in map(torch.device, ("cuda", "cpu")):
        model = untrained(drug_dataset, config, seed=0).to(device)
        batch = drawn(drug_dataset, config).to(device)
        terms = elbo(model, batch, Precision.choose("fp32", device))
        terms.loss(TrainConfig(free_nats=1.0), beta=1.0).backward()
        results.append((terms, [weight.grad for weight in model.parameters()]))
    (terms, gradients), (expected, own) = results
    for one, other in zip((*terms, *gradients), (*expected, *own), strict=True):
        assert one is not None
        assert other is not None
        assert_close(one, other)


@pytest.mark.gpu
@needs_gpu
@every_model
def test_a_gpu_computes_the_figures_of_molecules_and_samples_those_of_the_cpu(
    config: ModelConfig, drug_dataset: MoleculeDataset
) -> None:
    noise = noise_of(
        drug_dataset.hashes[shortest(drug_dataset)].tolist(), codes=2, size=config.latent_size
    )
    results = []
    for device in map(torch.device, ("cuda", "cpu")):
        model = untrained(drug_dataset, config, seed=0).to(device).eval()
        batch = drawn(drug_dataset, config).to(device)
        ids, lengths, conditions = batch[:3]
        figures = likelihood(model, ids, lengths, conditions, noise.to(device))
        z, steps = batch.noise, torch.full((12, 30), 0.5, device=device)
        written = sample(model, z, conditions, steps, temperature=1.0, guidance=1.5, live=5)
        results.append((figures.figures(lengths, codes=2), written.nll.cpu().numpy()))
    (figures_there, nll_there), (figures_here, nll_here) = results
    np.testing.assert_allclose(figures_there, figures_here, rtol=1e-2)
    same = np.isclose(nll_there, nll_here, rtol=1e-2)
    assert same.mean() > 0.8, "rounding may change a symbol, rarely"
