import numpy as np
import pytest

from molvae.chem.similarity import fingerprints
from molvae.evaluate import gather
from molvae.evaluate.work import Work
from tests.drugs import DRUGS


def test_workers_find_the_same_nearest_molecules(monkeypatch: pytest.MonkeyPatch) -> None:
    from rdkit import Chem

    packed = fingerprints([Chem.MolFromSmiles(smiles) for _, smiles in DRUGS[:90]])
    tests = {"Test": packed[:40], "TestSF": packed[40:70], "empty": packed[:0]}
    told: list[int] = []
    here = gather._similarities(packed[30:], tests, Work(jobs=0))
    monkeypatch.setattr(gather, "MANY_PAIRS", 1)
    work = Work(jobs=4, progress=lambda stage, done, total: told.append(done))
    there = gather._similarities(packed[30:], tests, work)
    assert here.keys() == there.keys() == tests.keys()
    for label, similarities in here.items():
        np.testing.assert_array_equal(similarities, there[label])
    assert (here["Test"][:10] == 1.0).all()  # those are in both
    assert np.isnan(here["empty"]).all()
    assert told[-1] == 2 * 60
