"""What the server imports that forks the worker processes: chemistry that knows the drugs already.

Else each worker would test fast chemistry and learn the atoms of the drugs anew, in half a second.
"""

from molvae.chem.properties import PROPERTIES
from molvae.chem.smiles import DEFAULT_STANDARDIZATION
from molvae.data.molecules import standardize_and_measure
from tests.drugs import DRUGS

standardize_and_measure(DEFAULT_STANDARDIZATION, list(PROPERTIES), [smiles for _, smiles in DRUGS])
