"""What every test shares."""

import csv
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.drugs import DRUGS

if TYPE_CHECKING:
    from molvae.dataset import MoleculeDataset

# Two test workers with a thread for each core would only fight; set before torch is imported, and
# passed on to every command that a test starts.
os.environ["OMP_NUM_THREADS"] = "1"
# Help and tables are compared as text: no colors, and a fixed width.
os.environ["NO_COLOR"] = "1"
os.environ["COLUMNS"] = "100"

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def molvae() -> Run:
    """Run the command line in a process of its own: `molvae("generate", "-n", "3")`."""

    def run(
        *arguments: object, input: str | None = None, timeout: float = 120
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "molvae", *map(str, arguments)],
            input=input,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=timeout,
            check=False,
        )

    return run


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
    from molvae.config import ModelConfig, TrainConfig
    from molvae.train.trainer import Trainer

    run = tmp_path_factory.mktemp("tiny")
    model = ModelConfig(
        symbol_size=16,
        encoder_size=24,
        decoder_size=48,
        decoder_layers=1,
        latent_size=8,
        condition_size=16,
    )
    train = TrainConfig(epochs=5, batch_size=16, learning_rate=0.02, precision="fp32")
    assert Trainer(drug_dataset, run, model=model, train=train).fit()
    return run / "model.safetensors"
