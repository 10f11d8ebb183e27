from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from molvae.dataset import MoleculeDataset


@pytest.fixture(scope="session")
def finished(drug_dataset: "MoleculeDataset", tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that nothing interrupted."""
    from tests.train.runs import trainer

    run = tmp_path_factory.mktemp("finished")
    assert trainer(drug_dataset, run).fit()
    return run
