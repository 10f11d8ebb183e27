"""What every test shares."""

import csv
import os
import signal
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import hypothesis
import pytest

from tests import tiny
from tests.drugs import DRUGS

if TYPE_CHECKING:
    from molvae.dataset import MoleculeDataset
    from molvae.model.cvae import ConditionalVAE

# Two test workers with a thread for each core would only fight; set before torch is imported, and
# passed on to every command that a test starts.
os.environ["OMP_NUM_THREADS"] = "1"
# Help and tables are compared as text: no colors, and a fixed width.
os.environ["NO_COLOR"] = "1"
os.environ["COLUMNS"] = "100"
# A slow machine is no failure.
hypothesis.settings.register_profile("molvae", deadline=None)
hypothesis.settings.load_profile("molvae")

# A shell that starts the tests in the background has them ignore Ctrl-C, and a process hands that
# on to every command it starts: the tests that send Ctrl-C would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def warm_workers() -> Iterator[None]:
    """Have `tests.warm` imported where worker processes are forked from."""

    def preload(context: ForkServerContext, modules: list[str]) -> None:
        from multiprocessing import forkserver  # which only systems with `fork` can import

        forkserver.set_forkserver_preload([*modules, "tests.warm"])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ForkServerContext, "set_forkserver_preload", preload)
        yield


@pytest.fixture(scope="session")
def drug_dataset_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The approved drugs as `molvae prepare` writes them; a tenth each for validation and test."""
    from molvae.config import DataConfig
    from molvae.data.prepare import prepare

    folder = tmp_path_factory.mktemp("drugs")
    table, path = folder / "drugs.csv", folder / "drugs.safetensors"
    with table.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("name", "smiles"), *DRUGS])
    config = DataConfig(
        properties=("MW", "LogP", "TPSA", "QED"), min_count=1, validation=0.1, test=0.1
    )
    prepare([table], config, jobs=0).dataset.save(path)
    return path


@pytest.fixture(scope="session")
def drug_dataset(drug_dataset_file: Path) -> "MoleculeDataset":
    """The approved drugs, about 300 molecules with MW, LogP, TPSA and QED."""
    from molvae.dataset import MoleculeDataset

    return MoleculeDataset.load(drug_dataset_file)


@pytest.fixture(scope="session")
def tiny_model_file(
    drug_dataset: "MoleculeDataset", tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A checkpoint trained for seconds: whole in every part, and a poor chemist."""
    from molvae.presets import Preset
    from molvae.train.trainer import Trainer

    run = tmp_path_factory.mktemp("tiny")
    assert Trainer(drug_dataset, run, Preset(tiny.MODEL, tiny.TRAIN)).fit()
    return run / "model.safetensors"


@pytest.fixture(scope="session")
def labelled_model_file(tiny_model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with two labels of one's own, a number and a class, that follow LogP."""
    from molvae.checkpoint import Checkpoint
    from molvae.chem.properties import measure
    from molvae.chem.smiles import standardize
    from molvae.config import DataConfig
    from molvae.data.prepare import prepare
    from molvae.train.initialization import begin_with
    from molvae.train.package import build_checkpoint

    folder = tmp_path_factory.mktemp("labelled")
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("smiles", "potency", "activity"))
        for _, smiles in DRUGS[:120]:
            (logp,) = measure(standardize(smiles)[1], ["LogP"])
            writer.writerow((smiles, f"{7 - logp:.2f}", "active" if logp < 2 else "inactive"))
    config = DataConfig(
        properties=("MW", "LogP", "TPSA", "QED"),
        labels=("potency:number", "activity:class"),
        min_count=1,
        validation=0.3,
    )
    dataset = prepare([folder / "labels.csv"], config, jobs=0).dataset
    model, dataset = begin_with(Checkpoint.load(tiny_model_file), dataset, name="tiny")
    packed = build_checkpoint(model.model, dataset, train=tiny.TRAIN, trained={})
    packed.save(folder / "model.safetensors")
    return folder / "model.safetensors"


class Memorized(NamedTuple):
    """A model that knows the 32 validation molecules of a dataset by heart."""

    model: "ConditionalVAE"
    dataset: "MoleculeDataset"


@pytest.fixture(scope="session")
def memorized(drug_dataset: "MoleculeDataset") -> Memorized:
    """A model trained on 32 molecules until it can write them, with and without properties."""
    from dataclasses import replace

    import numpy as np
    import torch

    from molvae.config import TrainConfig
    from molvae.model.conditions import drop_conditions
    from molvae.model.cvae import ConditionalVAE
    from molvae.model.losses import Elbo, property_loss, reconstruction_loss
    from molvae.train.batches import collate

    split = np.zeros_like(drug_dataset.split)
    split[:32] = 1
    dataset = drug_dataset._replace(split=split)
    batch = collate(dataset, dataset.members("validation"))
    steps, generator = 160, torch.Generator().manual_seed(0)
    config = replace(tiny.MODEL, symbol_size=32, encoder_size=32, decoder_size=96, latent_size=32)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = ConditionalVAE(config, len(dataset.vocabulary), batch.conditions.shape[1])
    optimizer = torch.optim.Adam(model.parameters())
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 1e-4 + 1e-2 * (1 - step / steps)
        posterior = model.encode(batch.ids, batch.lengths)
        z = posterior.sample(torch.randn(posterior.mean.shape, generator=generator))
        logits = model.decode(z, drop_conditions(batch.conditions, generator), batch.ids)
        predicted = model.predict_properties(posterior.mean)
        loss = Elbo(
            reconstruction_loss(logits, batch.ids),
            posterior.kl().sum(dim=1),
            property_loss(predicted, batch.conditions),
        ).loss(TrainConfig(free_nats=0.0), beta=0.0)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return Memorized(model.eval(), dataset)
