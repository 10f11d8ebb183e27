import numpy as np
import pytest

from molvae.chem.properties import PROPERTIES
from molvae.evaluate.parsed import SHAPES, parse_molecules
from molvae.evaluate.work import Work
from tests.drugs import DRUGS, WEIGHTS


def test_invalid_molecules_keep_their_place_and_their_reason() -> None:
    parsed = parse_molecules(["CCO", "", "C1CC", None, float("nan"), "CCN"], ("MW",))
    assert parsed.canonical == ("CCO", "", "", "", "", "CCN")
    assert parsed.valid.tolist() == [True, False, False, False, False, True]
    assert parsed.molecules == ["CCO", "CCN"]
    assert parsed.invalid == {"empty": 3, "not a molecule": 1}
    assert np.isnan(parsed.measured("MW")).tolist() == [False, True, True, True, True, False]
    assert parsed.fingerprints[1:5].sum() == 0
    assert parsed.fingerprints[0].sum() > 0


def test_properties_are_those_of_the_molecules() -> None:
    parsed = parse_molecules([smiles for _, smiles in DRUGS[:30]], ("HBD", "MW"))
    weights = [WEIGHTS[name] for name, _ in DRUGS[:30]]
    assert parsed.measured("MW") == pytest.approx(weights, abs=0.1)
    aspirin = [name for name, _ in DRUGS].index("aspirin")
    assert parsed.measured("HBD")[aspirin] == 1


def test_a_property_that_cannot_be_computed_leaves_the_molecule_valid(monkeypatch) -> None:
    def fails_on_water(mol, *parts) -> float:
        if mol.GetNumAtoms() == 1:
            raise RuntimeError("no such luck")
        return 0.5

    failing = PROPERTIES["QED"]._replace(function=fails_on_water)
    monkeypatch.setitem(PROPERTIES, "QED", failing)
    parsed = parse_molecules(["O", "CCO"], ("QED", "MW"))
    assert parsed.valid.all()
    assert np.isnan(parsed.measured("QED")).tolist() == [True, False]
    assert not np.isnan(parsed.measured("MW")).any()


@pytest.mark.parametrize(
    ("smiles", "shape"),
    [
        ("C1CC1", (1, 0, 0, 1, 0, 3)),
        ("C1CCC1C", (0, 1, 0, 1, 0, 5)),
        ("C1CCCCCC1", (0, 0, 1, 1, 0, 7)),
        ("Cc1ccccc1", (0, 0, 0, 0, 6 / 7, 7)),
        ("C1CC1C1CCCCCCC1", (1, 0, 1, 1, 0, 11)),
        ("CCO", (0, 0, 0, 0, 0, 3)),
        ("[H][H]", (0, 0, 0, 0, 0, 0)),
    ],
)
def test_shapes_are_counted_by_hand(smiles: str, shape: tuple[float, ...]) -> None:
    parsed = parse_molecules([smiles], ())
    assert len(SHAPES) == len(shape)
    assert parsed.shapes[0] == pytest.approx(shape)


def test_worker_processes_find_the_same() -> None:
    smiles = [*(smiles for _, smiles in DRUGS[:40]), "", "C1CC", None]
    here, there = (parse_molecules(smiles, ("LogP", "QED"), Work(jobs)) for jobs in (0, 2))
    for name in ("canonical", "flat", "reasons", "names"):
        assert getattr(here, name) == getattr(there, name)
    for name in ("properties", "fingerprints", "shapes"):
        np.testing.assert_array_equal(getattr(here, name), getattr(there, name))


def test_every_molecule_is_ticked_off() -> None:
    seen: list[tuple[str, int, int]] = []
    work = Work(progress=lambda *step: seen.append(step))
    parse_molecules(["CCO", "", "CCN"], (), work, stage="Reading")
    assert seen == [("Reading", done, 3) for done in (1, 2, 3)]


def test_nothing_at_all_has_the_right_shapes() -> None:
    parsed = parse_molecules([], ("LogP", "QED"))
    assert len(parsed) == 0
    assert parsed.properties.shape == (0, 2)
    assert parsed.fingerprints.shape == (0, 128)
