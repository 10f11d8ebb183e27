import subprocess
import sys
from pathlib import Path

SCRIPT = """
import sys
from pathlib import Path

# As if they were not installed.
sys.modules.update(dict.fromkeys(["rdkit", "selfies", "pandas", "scipy", "click", "rich"]))
from molvae.checkpoint import Checkpoint
from molvae.config import TrainConfig
from molvae.dataset import MoleculeDataset
from molvae.train.trainer import Trainer
from tests import tiny

dataset = MoleculeDataset.load(Path(sys.argv[1]))
run = Path(sys.argv[2])
train = TrainConfig(epochs=1, batch_size=128, precision="fp32")
assert Trainer(dataset, run, model=tiny.MODEL, train=train).fit()
model = Checkpoint.load(run / "model.safetensors")
assert model.provenance["training_molecules"] == len(dataset.members("train"))
try:
    import molvae.data.prepare
except ImportError:
    print("trained")
"""


def test_training_needs_no_chemistry(drug_dataset_file: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, drug_dataset_file, tmp_path / "run"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout == "trained\n"
