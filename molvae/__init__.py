"""molvae: molecules with the properties you name.

    from molvae import MoleculeGenerator, to_frame

Each public name is imported when it is first used (PEP 562), so that `import molvae` costs
nothing and a machine without RDKit can train.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from molvae.version import __version__ as __version__

if TYPE_CHECKING:  # what a type checker reads is what `_HOMES` says; a test compares
    from molvae.checkpoint import Checkpoint
    from molvae.chem.properties import PROPERTIES
    from molvae.config import GenerateConfig
    from molvae.data.prepare import prepare
    from molvae.dataset import MoleculeDataset
    from molvae.errors import MolvaeError
    from molvae.evaluate.report import evaluate as evaluate_molecules
    from molvae.generation.predict import Prediction
    from molvae.generation.results import Generated, Generation, to_frame
    from molvae.generation.score import Score
    from molvae.generator import MoleculeGenerator
    from molvae.normalizer import PropertyNormalizer
    from molvae.vocabulary import Vocabulary

__all__ = [
    "PROPERTIES",
    "Checkpoint",
    "GenerateConfig",
    "Generated",
    "Generation",
    "MoleculeDataset",
    "MoleculeGenerator",
    "MolvaeError",
    "Prediction",
    "PropertyNormalizer",
    "Score",
    "Vocabulary",
    "evaluate_molecules",  # `molvae.evaluate` is the room it comes from
    "prepare",
    "to_frame",
]

_HOMES = {  # public name -> module and what it is called there
    "PROPERTIES": ("molvae.chem.properties", "PROPERTIES"),
    "Checkpoint": ("molvae.checkpoint", "Checkpoint"),
    "GenerateConfig": ("molvae.config", "GenerateConfig"),
    "Generated": ("molvae.generation.results", "Generated"),
    "Generation": ("molvae.generation.results", "Generation"),
    "MoleculeDataset": ("molvae.dataset", "MoleculeDataset"),
    "MoleculeGenerator": ("molvae.generator", "MoleculeGenerator"),
    "MolvaeError": ("molvae.errors", "MolvaeError"),
    "Prediction": ("molvae.generation.predict", "Prediction"),
    "PropertyNormalizer": ("molvae.normalizer", "PropertyNormalizer"),
    "Score": ("molvae.generation.score", "Score"),
    "Vocabulary": ("molvae.vocabulary", "Vocabulary"),
    "evaluate_molecules": ("molvae.evaluate.report", "evaluate"),
    "prepare": ("molvae.data.prepare", "prepare"),
    "to_frame": ("molvae.generation.results", "to_frame"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'molvae' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
