"""`from molvae import X`: what is promised, what is loaded, and when."""

import ast
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import molvae

FACE = Path(molvae.__file__)
README = FACE.parent.parent / "README.md"
HEAVY = {"torch", "rdkit", "pandas", "selfies", "numpy", "scipy", "rich", "click"}


def modules_after(code: str) -> set[str]:
    """Return what a fresh Python has imported after `code`."""
    code = f"{code}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_importing_molvae_imports_nothing_heavy() -> None:
    assert modules_after("import molvae; molvae.__version__; dir(molvae)") & HEAVY == set()


def test_a_training_machine_needs_no_chemistry() -> None:
    loaded = modules_after("from molvae import Checkpoint, MoleculeDataset, Vocabulary")
    assert "torch" in loaded
    assert loaded & {"rdkit", "selfies", "pandas", "scipy"} == set()


@pytest.mark.parametrize("name", molvae.__all__)
def test_each_name_is_there_and_says_what_it_is(name: str) -> None:
    found = getattr(molvae, name)
    assert found is getattr(molvae, name)
    assert name in dir(molvae)
    if name != "PROPERTIES":
        assert found.__doc__
        assert found.__module__.startswith("molvae.")


def test_names_are_listed_once_and_in_one_order() -> None:
    assert list(molvae._HOMES) == molvae.__all__
    assert len(set(molvae.__all__)) == len(molvae.__all__)
    assert 10 <= len(molvae.__all__) <= 15


def test_a_type_checker_sees_the_same_names() -> None:
    (block,) = (node for node in ast.parse(FACE.read_text()).body if isinstance(node, ast.If))
    assert ast.unparse(block.test) == "TYPE_CHECKING"
    seen = {
        alias.asname or alias.name: (node.module, alias.name)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == molvae._HOMES


def test_no_name_is_taken_by_a_module() -> None:
    # Importing molvae.evaluate sets `molvae.evaluate`: a function of that name would be lost.
    assert {module.name for module in pkgutil.iter_modules(molvae.__path__)} & set(
        molvae.__all__
    ) == set()


def test_readme_imports_only_public_names() -> None:
    lines = [line for line in README.read_text().splitlines() if line.startswith("from molvae ")]
    named = {name.strip() for line in lines for name in line.partition("import")[2].split(",")}
    assert "MoleculeGenerator" in named
    assert named <= set(molvae.__all__)


def test_an_unknown_name_is_an_ordinary_error() -> None:
    with pytest.raises(AttributeError, match="module 'molvae' has no attribute 'Generator'"):
        _ = molvae.Generator
    with pytest.raises(ImportError):
        exec("from molvae import Generator")
