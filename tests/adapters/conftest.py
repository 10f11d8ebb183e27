"""The bundled model, loaded once."""

import pytest

from molvae.generator import MoleculeGenerator


@pytest.fixture(scope="session")
def druglike() -> MoleculeGenerator:
    return MoleculeGenerator.load("druglike")
