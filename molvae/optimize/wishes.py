"""What is wanted of every molecule of a run besides its score."""

from collections.abc import Sequence
from typing import NamedTuple

from molvae.chem.cores import Core
from molvae.config import GenerateConfig
from molvae.targets import Targets


class Wishes(NamedTuple):
    """What is wanted of every molecule of a run besides its score.

    Attributes:
        like: SMILES of a molecule that all must be similar to; "" for none.
        keep: a core that all must contain, as in `MoleculeGenerator.decorate`; several share them
            out.
        targets: properties that the model is asked for.
        drawing: filters and patterns that every proposal must pass.
        excluded: molecules that are not wanted, as the training set spells them.
    """

    like: str = ""
    keep: str | Core | Sequence[str | Core] = ()
    targets: Targets | None = None
    drawing: GenerateConfig = GenerateConfig()
    excluded: frozenset[str] = frozenset()
