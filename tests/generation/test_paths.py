"""Series of molecules: between two codes, and along one property."""

import numpy as np
import pytest
import torch

from molvae.chem.properties import measure
from molvae.chem.similarity import tanimoto
from molvae.data.molecules import PreparedMolecule, standardize_and_measure
from molvae.errors import Rejected, UsageError
from molvae.generation.decode import decode_molecules, reconstruct
from molvae.generation.paths import PATHS, interpolate, sweep, sweep_values
from molvae.generation.search import SEARCH, Search
from molvae.generator import MoleculeGenerator
from molvae.presets import DrawSettings
from tests.drugs import DRUGS

FEW = Search(tries=16)


@pytest.fixture(scope="module")
def druglike() -> MoleculeGenerator:
    return MoleculeGenerator.load("druglike")


@pytest.fixture(scope="module")
def ends(druglike: MoleculeGenerator) -> tuple[PreparedMolecule, PreparedMolecule]:
    drugs = dict(DRUGS)
    first, last = standardize_and_measure(
        druglike.standardization, druglike.measured, [drugs["lidocaine"], drugs["naproxen"]]
    )
    assert isinstance(first, PreparedMolecule)
    assert isinstance(last, PreparedMolecule)
    return first, last


def test_a_path_begins_and_ends_with_what_comes_back_of_its_ends(
    druglike: MoleculeGenerator, ends: tuple[PreparedMolecule, PreparedMolecule]
) -> None:
    back = [each.written for each in reconstruct(druglike.model, ends)]
    for path in PATHS:
        steps = interpolate(
            druglike.model, ends, 5, path=path, request=druglike.request(None), search=FEW
        )
        assert [step.at for step in steps] == [0.0, 0.25, 0.5, 0.75, 1.0]
        assert [steps[0].molecule.smiles, steps[-1].molecule.smiles] == back


def test_molecules_on_a_path_are_what_they_are_said_to_be(
    druglike: MoleculeGenerator, ends: tuple[PreparedMolecule, PreparedMolecule]
) -> None:
    from rdkit import Chem

    for step in interpolate(druglike.model, ends, 4, request=druglike.request(None), search=FEW):
        smiles = step.molecule.smiles
        values = measure(Chem.MolFromSmiles(smiles), druglike.measured)
        assert list(step.molecule.properties.values()) == pytest.approx(list(values))
        assert step.tanimoto == tuple(tanimoto(smiles, end.smiles) for end in ends)


def test_a_spherical_path_keeps_the_length_and_a_linear_one_cuts_across() -> None:
    random = torch.Generator().manual_seed(0)
    first, last = torch.randn(2, 32, generator=random)
    last = last / last.norm() * first.norm()
    around, across = (PATHS[path](first, last, 0.5) for path in ("spherical", "linear"))
    assert float(around.norm()) == pytest.approx(float(first.norm()), rel=1e-5)
    assert float(across.norm()) < 0.9 * float(first.norm())
    cosines = [torch.cosine_similarity(around, end, dim=0) for end in (first, last)]
    assert float(cosines[0]) == pytest.approx(float(cosines[1]), abs=1e-5)
    for share, end in ((0.0, first), (1.0, last)):
        assert torch.allclose(PATHS["spherical"](first, last, share), end, atol=1e-6)


@pytest.mark.parametrize("factor", [1.0, 3.0, -1.0, 0.0])
def test_where_there_is_no_great_circle_the_way_is_straight(factor: float) -> None:
    first = torch.randn(32, generator=torch.Generator().manual_seed(0))
    middle = PATHS["spherical"](first, factor * first, 0.5)
    assert torch.allclose(middle, 0.5 * (1 + factor) * first, atol=1e-6)


def test_targets_hold_a_property_on_all_of_a_path(
    druglike: MoleculeGenerator, ends: tuple[PreparedMolecule, PreparedMolecule]
) -> None:
    low, high = (
        interpolate(druglike.model, ends, 5, request=druglike.request({"TPSA": value}), search=FEW)
        for value in (20.0, 110.0)
    )
    means = [np.mean([step.molecule.properties["TPSA"] for step in steps]) for steps in (low, high)]
    assert means[1] > means[0] + 10


def test_a_sweep_changes_the_one_property_that_it_asks_for(
    druglike: MoleculeGenerator, ends: tuple[PreparedMolecule, PreparedMolecule]
) -> None:
    values = sweep_values(druglike.model, "LogP", 5)
    steps = sweep(druglike.model, ends[0], "LogP", values, guidance=1.5, search=FEW)
    assert [step.at for step in steps] == values
    got = [step.molecule.properties["LogP"] for step in steps]
    assert got[-1] > got[0] + 0.5
    again = sweep(druglike.model, ends[0], "LogP", values, guidance=1.5, search=FEW)
    assert again == steps


def test_without_noise_a_sweep_writes_what_comes_back_of_its_own_value(
    druglike: MoleculeGenerator, ends: tuple[PreparedMolecule, PreparedMolecule]
) -> None:
    own = ends[0].values[druglike.measured.index("LogP")]
    still = Search(noise=0.0)
    (step,) = sweep(druglike.model, ends[0], "LogP", [own], search=still)
    assert step.molecule.smiles == reconstruct(druglike.model, ends[:1])[0].written
    assert step.noise == 0.0


def test_a_sweep_gives_the_molecule_the_values_that_its_own_code_does_not(
    druglike: MoleculeGenerator, ends: tuple[PreparedMolecule, PreparedMolecule]
) -> None:
    """Nearer with every try, and never without need less like the molecule."""
    values = sweep_values(druglike.model, "LogP", 7)
    misses = []
    for search in (Search(noise=0.0), Search(tries=11), SEARCH):
        steps = sweep(druglike.model, ends[0], "LogP", values, guidance=1.5, search=search)
        got = [step.molecule.properties["LogP"] for step in steps]
        misses.append(np.mean(np.abs(np.subtract(got, values))))
    assert misses[0] > misses[1] > misses[2]
    assert misses[2] < 0.4
    assert len({step.molecule.smiles for step in steps}) >= 6
    assert all(step.molecule.consistent for step in steps)
    own = np.argmin(np.abs(np.subtract(values, ends[0].values[druglike.measured.index("LogP")])))
    assert np.argmax([step.tanimoto for step in steps]) == own


def test_between_two_molecules_stand_others_ever_less_like_the_first(
    druglike: MoleculeGenerator, ends: tuple[PreparedMolecule, PreparedMolecule]
) -> None:
    steps = interpolate(druglike.model, ends, 9, request=druglike.request(None), search=FEW)
    between = [step.molecule for step in steps[1:-1]]
    assert len({molecule.smiles for molecule in between} - {end.smiles for end in ends}) == 7
    assert all(molecule.consistent for molecule in between)
    for side in (0, 1):
        likeness = [step.tanimoto[side] for step in steps[1:-1]]
        assert (np.mean(likeness[:3]) > np.mean(likeness[-3:])) == (side == 0)


@pytest.mark.parametrize(
    ("search", "words"),
    [
        (Search(tries=0), "tries = 0: out of range, 1 to"),
        (Search(noise=1.5), "noise = 1.5: give a number, 0 to 1"),
    ],
)
def test_a_search_that_cannot_be_meant_is_refused(
    druglike: MoleculeGenerator,
    ends: tuple[PreparedMolecule, PreparedMolecule],
    search: Search,
    words: str,
) -> None:
    with pytest.raises(UsageError, match=words):
        sweep(druglike.model, ends[0], "LogP", [1.0], search=search)


def test_a_decoder_that_was_taught_no_noise_is_searched_within_the_posterior(
    labelled_model_file: str,
) -> None:
    generator = MoleculeGenerator.load(labelled_model_file)
    steps = generator.sweep(dict(DRUGS)["lidocaine"], "potency", [4.0, 6.0])
    assert {step.noise for step in steps} == {0.0}
    with pytest.raises(UsageError, match="was trained without noise"):
        generator.sweep("CCO", "potency", [4.0], search=Search(noise=0.5))


def test_counts_are_swept_in_whole_numbers(druglike: MoleculeGenerator) -> None:
    model = druglike.model
    assert sweep_values(model, "HBD", 9, low=0, high=3) == [0, 1, 2, 3]
    assert sweep_values(model, "LogP", 3, low=1, high=2) == [1, 1.5, 2]
    low, high = sweep_values(model, "LogP", 2)
    assert -2 < low < 1 < 4 < high < 7


def test_what_cannot_be_meant_is_refused(
    druglike: MoleculeGenerator,
    ends: tuple[PreparedMolecule, PreparedMolecule],
    labelled_model_file: str,
) -> None:
    with pytest.raises(UsageError, match="a path has two ends"):
        interpolate(druglike.model, ends, 1, request=druglike.request(None))
    with pytest.raises(UsageError, match="did you mean 'linear'"):
        interpolate(druglike.model, ends, 3, path="lineal", request=druglike.request(None))
    with pytest.raises(UsageError, match="from 3 to 1: an empty range"):
        sweep_values(druglike.model, "LogP", 3, low=3, high=1)
    with pytest.raises(UsageError, match="no values of LogP"):
        sweep(druglike.model, ends[0], "LogP", [])
    labelled = MoleculeGenerator.load(labelled_model_file)
    with pytest.raises(UsageError, match="has classes"):
        sweep_values(labelled.model, "activity", 3)


def test_a_label_is_swept_by_what_the_model_predicts(labelled_model_file: str) -> None:
    generator = MoleculeGenerator.load(labelled_model_file)
    (aspirin,) = standardize_and_measure(
        generator.standardization, generator.measured, ["CC(=O)Oc1ccccc1C(=O)O"]
    )
    assert isinstance(aspirin, PreparedMolecule)
    steps = sweep(generator.model, aspirin, "potency", [4.0, 6.0])
    for step in steps:
        assert isinstance(step.molecule.value("potency"), float)
        assert step.molecule.cells()["predicted_activity"] in ("active", "inactive")


def test_a_temperature_gives_each_slot_its_own_molecule_and_the_same_again(
    druglike: MoleculeGenerator, ends: tuple[PreparedMolecule, PreparedMolecule]
) -> None:
    model = druglike.model
    codes = model.encode([ends[0].symbols]).mean.repeat(8, 1)
    points = model.own_points(ends[:1]).repeat(8, axis=0)
    settings = DrawSettings(temperature=1.5, guidance=1.0, noise=0.75)

    def drawn(seed: int, slots: list[int]) -> list[str]:
        molecules = decode_molecules(
            model, codes[slots], points[slots], settings, seed=seed, slots=slots
        )
        return [each.smiles for each in molecules]

    eight = drawn(1, list(range(8)))
    assert len(set(eight)) > 4
    assert drawn(1, [3, 1]) == [eight[3], eight[1]]
    assert drawn(2, list(range(8))) != eight


def test_a_generator_takes_smiles(
    druglike: MoleculeGenerator, ends: tuple[PreparedMolecule, PreparedMolecule]
) -> None:
    first, last = (end.smiles for end in ends)
    model = druglike.model
    assert druglike.reconstruct([first]) == reconstruct(model, ends[:1])
    assert druglike.interpolate(first, last, 3, targets={"qed": 0.9}, search=FEW) == interpolate(
        model, ends, 3, request=druglike.request({"QED": 0.9}), search=FEW
    )
    swept = druglike.sweep(first, "MolLogP", [1, 4], search=FEW)
    assert swept == sweep(model, ends[0], "LogP", [1, 4], search=FEW)
    with pytest.raises(Rejected, match="not a molecule"):
        druglike.interpolate(first, "C1CC")
    with pytest.raises(UsageError, match="impossible"):
        druglike.sweep(first, "QED", [0.5, 1.5])
