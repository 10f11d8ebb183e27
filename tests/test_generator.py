import math
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch
from rdkit import Chem

from molvae.checkpoint import Checkpoint
from molvae.chem.properties import measure
from molvae.chem.smiles import canonicalize
from molvae.config import GenerateConfig
from molvae.errors import ArtifactError, ConfigError, InputError, Rejected, UsageError
from molvae.generation.pictures import legend
from molvae.generation.proposals import RESAMPLES, Proposal, propose
from molvae.generation.results import Generated, Generation, Values
from molvae.generation.tiles import TILE
from molvae.generator import MoleculeGenerator
from molvae.model.decoder import Stepper

RAW = GenerateConfig(tier="raw")  # the tiny model is a poor chemist: few draws need no repair
ASPIRIN, CAFFEINE = "CC(=O)Oc1ccccc1C(=O)O", "Cn1c(=O)c2c(ncn2C)n(C)c1=O"


@pytest.fixture(scope="module")
def generator(tiny_model_file: Path) -> MoleculeGenerator:
    return MoleculeGenerator.load(tiny_model_file)


def without_time(generation: Generation[Generated]) -> Generation[Generated]:
    return replace(generation, summary=generation.summary._replace(seconds=0.0))


def test_molecules_are_what_they_are_said_to_be(generator: MoleculeGenerator) -> None:
    molecules = generator.generate(20, {"LogP": 2.5}, config=RAW, seed=1)
    assert [molecule.id for molecule in molecules] == list(range(1, 21))
    for molecule in molecules:
        assert canonicalize(molecule.smiles) == molecule.smiles
        values = measure(Chem.MolFromSmiles(molecule.smiles), generator.measured)
        assert list(molecule.properties) == ["MW", "LogP", "TPSA", "QED"]
        assert list(molecule.properties.values()) == pytest.approx(list(values))
        assert molecule.targets == {"LogP": (2.5, 2.5)}
        assert molecule.nll > 0
        assert not molecule.ood


def test_the_same_seed_gives_the_same_molecules_and_another_seed_others(
    generator: MoleculeGenerator,
) -> None:
    first, again, other = (
        generator.generate(12, {"QED": (0.8, math.inf)}, config=RAW, seed=seed)
        for seed in (7, 7, 8)
    )
    assert without_time(again) == without_time(first)
    assert [m.smiles for m in other.molecules] != [m.smiles for m in first.molecules]


def test_without_a_seed_one_is_drawn_and_reported(generator: MoleculeGenerator) -> None:
    first, other = generator.generate(4, config=RAW), generator.generate(4, config=RAW)
    assert first.summary.seed != other.summary.seed
    assert generator.generate(4, config=RAW, seed=first.summary.seed).molecules == first.molecules


def test_neither_batch_size_nor_workers_change_a_molecule(generator: MoleculeGenerator) -> None:
    requests = [{"LogP": (1.0, 3.0)}, {}, {"MW": 300.0}]
    config = GenerateConfig(tier="raw", top_p=0.95)
    expected = without_time(generator.generate(150, requests, config=config, seed=3))
    for batch_size in (1, 128):
        found = generator.generate(150, requests, config=config, seed=3, batch_size=batch_size)
        assert without_time(found) == expected
    with ProcessPoolExecutor(1, mp_context=get_context("forkserver")) as executor:
        found = generator.generate(150, requests, config=config, seed=3, executor=executor)
    assert without_time(found) == expected


def test_a_molecule_does_not_depend_on_the_others_of_its_tile(
    generator: MoleculeGenerator,
) -> None:
    def symbols(slots: list[int]) -> list[list[str]]:
        points = np.full((len(slots), 4), np.nan)
        settings = generator.model.settings(RAW)
        draws = propose(generator.model, slots, points, 0, settings=settings, seed=1)
        assert [draw.slot for draw in draws] == slots
        return [draw.symbols for draw in draws]

    together = symbols(list(range(70)))
    assert len({tuple(symbols) for symbols in together}) > 35
    assert symbols([69, 3, 5]) == [together[69], together[3], together[5]]


@pytest.mark.parametrize("attempt", [0, 5])
def test_a_molecule_does_not_depend_on_what_others_are_asked_for(
    generator: MoleculeGenerator, attempt: int
) -> None:
    points = np.full((6, 4), np.nan)
    points[::2, 0] = 2.5

    def drawn(slots: list[int]) -> list[Proposal]:
        settings = generator.model.settings(RAW)
        draws = propose(generator.model, slots, points[slots], attempt, settings=settings, seed=1)
        return [draw._replace(predicted={}) for draw in draws]

    together = drawn([0, 1, 2, 3, 4, 5])
    assert drawn([0, 2, 4]) == together[::2]
    assert drawn([1, 3, 5]) == together[1::2]
    assert drawn([3]) == together[3:4]


def test_what_the_property_head_reads_is_left_out_where_nobody_asks(
    generator: MoleculeGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def proposed() -> list[Proposal]:
        points, settings = np.full((2, 4), np.nan), generator.model.settings(RAW)
        return propose(generator.model, [0, 1], points, 0, settings=settings, seed=1)

    unread = proposed()
    monkeypatch.setattr(generator.model, "labels", ("LogP",))
    read = proposed()
    assert [draw._replace(predicted={}) for draw in read] == unread
    assert all(set(draw.predicted) == set(generator.normalizer.names) for draw in read)


def test_every_matrix_product_has_the_same_rows(
    generator: MoleculeGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = []
    step = Stepper.step

    def spy(stepper: Stepper, strings: list[torch.Tensor], ids: torch.Tensor) -> torch.Tensor:
        rows.extend(map(len, (*strings, ids)))
        return step(stepper, strings, ids)

    monkeypatch.setattr(Stepper, "step", spy)
    generator.generate(70, config=RAW, seed=1)
    assert set(rows) == {TILE}


def test_a_code_has_some_tries_and_with_best_of_each_candidate_has_its_own(
    generator: MoleculeGenerator,
) -> None:
    def nll(attempt: int, best_of: int) -> float:
        config = GenerateConfig(temperature=0.0, noise=0.0, best_of=best_of)  # the code decides
        points = np.full((1, 4), np.nan)
        settings = generator.model.settings(config)
        (draw,) = propose(generator.model, [0], points, attempt, settings=settings, seed=1)
        return draw.nll

    assert len({nll(attempt, 1) for attempt in range(RESAMPLES)}) == 1
    assert nll(0, 1) != nll(RESAMPLES, 1)
    assert len({nll(attempt, 2) for attempt in range(RESAMPLES)}) == RESAMPLES


def test_batch_size_changes_nothing_where_rows_are_drawn_again(
    generator: MoleculeGenerator,
) -> None:
    config = GenerateConfig(max_tries=4)
    one, all_at_once = (
        generator.generate(130, config=config, seed=3, batch_size=size) for size in (64, 1024)
    )
    assert one.summary.draws > 130
    assert without_time(one) == without_time(all_at_once)


def test_progress_and_stop_reach_the_caller(generator: MoleculeGenerator) -> None:
    counts: list[int] = []
    generation = generator.generate(
        200,
        config=RAW,
        seed=1,
        batch_size=64,
        report=counts.append,
        should_stop=lambda: len(counts) == 2,
    )
    assert len(counts) == 2
    assert counts[-1] == len(generation.molecules) <= 128
    whole = generator.generate(200, config=RAW, seed=1, batch_size=64).molecules
    by_id = {molecule.id: molecule for molecule in whole}
    assert all(by_id[molecule.id] == molecule for molecule in generation.molecules)


def test_a_novel_molecule_is_not_in_the_training_set(
    generator: MoleculeGenerator, tiny_model_file: Path
) -> None:
    index = Checkpoint.load(tiny_model_file).index
    assert generator.checkpoint.index.bits.tolist() == index.bits.tolist()
    config = GenerateConfig(tier="raw", novel=True)
    assert all(molecule.novel for molecule in generator.generate(20, config=config, seed=2))


@pytest.mark.parametrize("name", ["LogP", "logp", "MolLogP", "mollogp"])
def test_a_property_is_known_by_all_its_names(generator: MoleculeGenerator, name: str) -> None:
    assert generator.request({name: 2}).ranges == {"LogP": (2.0, 2.0)}


def test_requests_come_in_the_order_of_the_model(generator: MoleculeGenerator) -> None:
    assert list(generator.request({"QED": 0.8, "MW": (-math.inf, 400)}).ranges) == ["MW", "QED"]


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (
            {"logd": 2.0},
            r"unknown property 'logd'; did you mean 'LogP'\? .*knows MW \(Da\), LogP, TPSA \(A",
        ),
        ({"pIC50": 8}, "'pIC50'. This .* learned: molvae prepare --label, molvae train"),
        ({"Fsp3": 0.5}, r"not trained on Fsp3\. This model knows MW \(Da\)"),
        ({"FractionCSP3": 0.5}, "not trained on Fsp3"),
        ({"QED": 1.2}, r"target QED = 1\.2: impossible, QED is 0 to 1\."),
        ({"QED": (1.1, math.inf)}, r"target QED = 1\.1\.\.: impossible"),
        ({"MW": -3.0}, r"target MW = -3: impossible, MW is at least 0\."),
        ({"LogP": math.nan}, "not a finite number"),
        ({"LogP": math.inf}, "not a finite number"),
        ({"LogP": (1.0, math.nan)}, "not a finite number"),
        ({"LogP": (3.0, 1.0)}, "an empty range"),
        ({"LogP": 1.0, "MolLogP": 2.0}, "LogP: given twice"),
        ({"LogP": 1.0, "logp": 2.0}, "LogP: given twice"),
    ],
)
def test_a_request_that_cannot_be_meant_is_refused(
    generator: MoleculeGenerator, targets: dict[str, float], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        generator.generate(1, targets)


def test_numbers_that_cannot_be_meant_are_refused(generator: MoleculeGenerator) -> None:
    with pytest.raises(UsageError, match="at least one molecule"):
        generator.generate(0)
    with pytest.raises(UsageError, match="list of targets is empty"):
        generator.generate(1, [])
    with pytest.raises(UsageError, match="for each of the 3 sets"):
        generator.generate(2, [{"LogP": 1.0}, {"LogP": 2.0}, {}])
    with pytest.raises(ConfigError, match="temperature = -1"):
        generator.generate(1, config=GenerateConfig(temperature=-1))


def test_a_target_outside_the_training_set_marks_its_rows(generator: MoleculeGenerator) -> None:
    with pytest.warns(UserWarning, match="LogP=30 lies outside the model's training range"):
        molecules = generator.generate(4, [{"LogP": 30.0}, {"LogP": 2.0}], config=RAW, seed=1)
    assert [molecule.ood for molecule in molecules] == [True, True, False, False]


def test_a_target_outside_the_training_set_is_warned_of(generator: MoleculeGenerator) -> None:
    with pytest.warns(UserWarning, match="LogP=90 lies outside the model's training range"):
        generator.generate(1, {"LogP": 90.0}, config=GenerateConfig(tier="raw"), seed=1)


def test_threads_are_given_back(generator: MoleculeGenerator) -> None:
    before = torch.get_num_threads()
    inside: list[int] = []
    try:
        torch.set_num_threads(2)
        with pytest.MonkeyPatch.context() as patch:
            start = generator.model.network.start
            patch.setattr(
                generator.model.network,
                "start",
                lambda *given: inside.append(torch.get_num_threads()) or start(*given),
            )
            generator.generate(1, config=GenerateConfig(tier="raw"), seed=1)
        assert torch.get_num_threads() == 2
        assert set(inside) == {1}
    finally:
        torch.set_num_threads(before)


def test_a_notebook_shows_pictures_with_values(generator: MoleculeGenerator) -> None:
    found = generator.generate(
        14, {"LogP": 2.0}, config=GenerateConfig(tier="raw", max_tries=1), seed=1
    )
    title, *lines, more = str(found).split("\n")
    assert (title, more) == ("14 molecules, seed 1:", "...")
    assert lines == [molecule.smiles for molecule in found[:10]]
    page = found._repr_html_()
    assert page.startswith("<svg")
    assert "12 of 14 molecules" in page
    assert legend(found[0].row(), [*found[0].properties]).startswith("LogP ")
    assert repr(Values(MW=248.36999999999998)) == "{'MW': 248.4}"
    (step, *_) = generator.interpolate(ASPIRIN, CAFFEINE, 2)
    assert f"'MW': {step.molecule.properties['MW']:.4g}," in repr(step)
    assert repr(generator).startswith(f"<MoleculeGenerator {generator.name}: MW, LogP")
    assert "0 of 0 molecules" in replace(found, molecules=[])._repr_html_()


def test_a_request_reaches_the_decoder(generator: MoleculeGenerator) -> None:
    free, light = (
        [m.smiles for m in generator.generate(8, targets, config=RAW, seed=1)]
        for targets in (None, {"MW": 150.0})
    )
    assert free != light


def test_molecules_have_codes_that_do_not_depend_on_their_company(
    generator: MoleculeGenerator,
) -> None:
    codes = generator.encode([ASPIRIN, CAFFEINE])
    assert codes.shape == (2, generator.checkpoint.model.config.latent_size)
    assert codes.dtype == np.float32
    assert np.isfinite(codes).all()
    assert not np.allclose(codes[0], codes[1])
    # The longer neighbor pads the shorter one; another spelling is the same molecule.
    np.testing.assert_allclose(generator.encode(["OC(=O)c1ccccc1OC(C)=O"])[0], codes[0], atol=1e-5)


def test_codes_become_molecules(generator: MoleculeGenerator) -> None:
    codes = generator.encode([ASPIRIN, CAFFEINE, "CCO"])
    written = generator.decode(codes)
    assert len(written) == 3
    assert [canonicalize(smiles) if smiles else "" for smiles in written] == written
    assert len(generator.decode(codes, {"MW": 300.0})) == 3


@pytest.mark.parametrize(
    ("smiles", "reason"),
    [
        ("C1CC", "not a molecule: 'C1CC', molecule 2 of 2: ring 1 is opened"),
        ("", "empty: '', molecule 2 of 2"),
        ("Brc1ccccc1", r"symbol unknown to the model: \[Br\]"),
    ],
)
def test_what_cannot_be_encoded_is_named(
    generator: MoleculeGenerator, smiles: str, reason: str
) -> None:
    with pytest.raises(Rejected, match=reason):
        generator.encode([ASPIRIN, smiles])


@pytest.mark.parametrize("shape", [(8,), (2, 7), (0, 8), (1, 2, 8)])
def test_codes_of_another_shape_are_refused(
    generator: MoleculeGenerator, shape: tuple[int, ...]
) -> None:
    with pytest.raises(UsageError, match=r"\(N, 8\) is expected"):
        generator.decode(np.zeros(shape))


def test_codes_that_are_not_finite_are_refused(generator: MoleculeGenerator) -> None:
    with pytest.raises(UsageError, match="not finite"):
        generator.decode(np.full((1, 8), np.nan))


def test_a_model_of_other_selfies_constraints_is_refused(tiny_model_file: Path) -> None:
    checkpoint = Checkpoint.load(tiny_model_file)
    assert checkpoint.provenance["constraints"]["C"] == 4
    checkpoint.provenance["constraints"]["C"] = 5
    with pytest.raises(ArtifactError, match=r"other SELFIES constraints.*pip install 'selfies"):
        MoleculeGenerator(checkpoint)


def test_a_model_from_before_an_atom_joined_the_constraints_is_taken(tiny_model_file: Path) -> None:
    checkpoint = Checkpoint.load(tiny_model_file)
    del checkpoint.provenance["constraints"]["I"]
    assert len(MoleculeGenerator(checkpoint).generate(2, config=RAW, seed=1)) == 2
    checkpoint.provenance["constraints"] = None
    with pytest.raises(ArtifactError, match="other SELFIES constraints"):
        MoleculeGenerator(checkpoint)


def test_a_model_is_found_by_its_folder_or_not_at_all(tiny_model_file: Path) -> None:
    by_file = MoleculeGenerator.load(tiny_model_file)
    assert MoleculeGenerator.load(tiny_model_file.parent).name == by_file.name
    assert len(by_file.name) == 12
    with pytest.raises(InputError, match="neither a file, a run folder, nor a bundled model"):
        MoleculeGenerator.load("drug-like")


def test_settings_that_are_complete_are_taken_as_they_are(generator: MoleculeGenerator) -> None:
    settings = generator.model.settings(RAW)
    one, other = (generator.generate(2, config=each, seed=1) for each in (RAW, settings))
    assert without_time(one) == without_time(other)
