import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
from pathlib import Path

# As if they were not installed.
sys.modules.update(dict.fromkeys(["rdkit", "selfies", "pandas", "scipy", "click", "rich"]))
from molvae.checkpoint import Checkpoint
from molvae.config import TrainConfig
from molvae.presets import Preset
from molvae.dataset import MoleculeDataset
from molvae.train.trainer import Trainer
from tests import tiny

dataset = MoleculeDataset.load(Path(sys.argv[1]))
run = Path(sys.argv[2])
train = TrainConfig(epochs=1, batch_size=128, precision="fp32")
assert Trainer(dataset, run, Preset(tiny.MODEL, train)).fit()
model = Checkpoint.load(run / "model.safetensors")
assert model.provenance["training_molecules"] == len(dataset.members("train"))
try:
    import molvae.data.prepare
except ImportError:
    print("trained")
"""


def run_script(script: str, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_training_needs_no_chemistry(drug_dataset_file: Path, tmp_path: Path) -> None:
    done = run_script(SCRIPT, drug_dataset_file, tmp_path / "run")
    assert done.stderr == ""
    assert done.stdout == "trained\n"


COMMAND = """
import sys
from importlib.metadata import packages_distributions

blocked, sys.argv = sys.argv[1].split(), ["molvae", *sys.argv[2:]]
sys.modules.update(dict.fromkeys(blocked))  # as if they were not installed
before = set(sys.modules)
from molvae.cli.main import main
import rich.progress  # what a terminal adds

try:
    main()
finally:
    packages = packages_distributions()
    tops = {name.partition(".")[0] for name in set(sys.modules) - before}
    print(*{package for top in tops for package in packages.get(top, ())} - {"molvae"})
"""


def test_the_short_list_of_requirements_is_enough_to_train(
    drug_dataset_file: Path, tmp_path: Path
) -> None:
    text = (ROOT / "requirements-train.txt").read_text(encoding="utf-8")
    listed = {line for line in text.splitlines() if not line.startswith("#")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {line.partition("#")[0].strip() for line in project["dependencies"]}
    assert listed <= needed
    blocked = {package_name(line) for line in needed - listed}
    assert {"rdkit", "selfies", "pandas", "scipy"} <= blocked
    sizes = ("--symbol-size", "8", "--encoder-size", "8", "--decoder-size", "16")
    arguments = ("train", drug_dataset_file, "-o", tmp_path / "run", "--epochs", "1", *sizes)
    done = run_script(COMMAND, " ".join(blocked), *arguments)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "model.safetensors").is_file()
    imported = {package_name(package) for package in done.stdout.split()}
    assert imported <= closure({package_name(line) for line in listed})


def package_name(requirement: str) -> str:
    found = re.match(r"[\w.-]+", requirement)
    assert found is not None
    return found[0].lower().replace("_", "-")


def closure(packages: set[str]) -> set[str]:
    """Return packages with all that they require, extras left out."""
    found: set[str] = set()
    while packages:
        found |= packages
        lines = [line for package in packages for line in installed_requirements(package)]
        packages = {package_name(line) for line in lines if "extra ==" not in line} - found
    return found


def installed_requirements(package: str) -> list[str]:
    try:
        return requires(package) or []
    except PackageNotFoundError:  # one of another platform
        return []
