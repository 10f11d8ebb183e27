"""Neighbors of molecules in latent space: near, distinct, and the same again."""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch
from rdkit import Chem, DataStructs

from molvae.chem.properties import measure
from molvae.chem.rings import rings_of
from molvae.chem.selfies import decode_canonical
from molvae.chem.similarity import fingerprint, murcko_scaffold
from molvae.config import GenerateConfig
from molvae.data.molecules import PreparedMolecule, standardize_and_measure
from molvae.errors import ConfigError, UsageError
from molvae.generation.neighbors import Neighbor, Source, Variant, _around
from molvae.generation.results import Generation
from molvae.generator import MoleculeGenerator
from molvae.model.latent import Posterior
from molvae.train.package import build_checkpoint
from tests import tiny
from tests.conftest import Memorized
from tests.drugs import DRUGS

NAMES = ("lidocaine", "naproxen", "diazepam", "fluoxetine")
FEW = 256  # strings decoded around each molecule


@pytest.fixture(scope="module")
def druglike() -> MoleculeGenerator:
    return MoleculeGenerator.load("druglike")


def sources_of(generator: MoleculeGenerator, smiles: list[str]) -> list[Source]:
    found = standardize_and_measure(generator.standardization, generator.measured, smiles)
    assert all(isinstance(each, PreparedMolecule) for each in found)
    return [Source(f"s{row}", row, each) for row, each in enumerate(found, 1)]  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def sources(druglike: MoleculeGenerator) -> list[Source]:
    drugs = dict(DRUGS)
    return sources_of(druglike, [drugs[name] for name in NAMES])


@pytest.fixture(scope="module")
def varied(druglike: MoleculeGenerator, sources: list[Source]) -> Generation[Variant]:
    return druglike.augment(sources, 6, tries=FEW, seed=1)


def without_time(variants: Generation[Variant]) -> Generation[Variant]:
    return replace(variants, summary=variants.summary._replace(seconds=0.0))


def test_each_source_has_its_variants_and_none_is_a_source(
    varied: Generation[Variant], sources: list[Source]
) -> None:
    assert [v.source for v in varied] == [s for s in sources for _ in range(6)]
    smiles = [variant.molecule.smiles for variant in varied]
    assert len(set(smiles)) == len(smiles) == 6 * len(sources)
    assert not set(smiles) & {source.seen.smiles for source in sources}
    assert varied.summary.tier == "consistent"


def test_similarity_and_properties_are_what_they_are_said_to_be(
    varied: Generation[Variant], druglike: MoleculeGenerator
) -> None:
    for variant in varied:
        mols = [
            Chem.MolFromSmiles(s) for s in (variant.molecule.smiles, variant.source.seen.smiles)
        ]
        similarity = DataStructs.TanimotoSimilarity(*map(fingerprint, mols))
        assert variant.tanimoto == pytest.approx(similarity)
        values = measure(mols[0], druglike.measured)
        assert list(variant.molecule.properties.values()) == pytest.approx(list(values))


def test_variants_are_nearer_to_their_own_source_than_to_another(
    varied: Generation[Variant],
) -> None:
    own = np.mean([variant.tanimoto for variant in varied])
    others = list(dict.fromkeys(variant.source.seen.smiles for variant in varied))
    prints = [fingerprint(Chem.MolFromSmiles(smiles)) for smiles in others]
    other = np.mean(
        [
            DataStructs.TanimotoSimilarity(fingerprint(Chem.MolFromSmiles(v.molecule.smiles)), each)
            for v in varied
            for each, smiles in zip(prints, others, strict=True)
            if smiles != v.source.seen.smiles
        ]
    )
    assert own > 1.5 * other


def test_a_large_radius_leads_away(
    druglike: MoleculeGenerator, sources: list[Source], varied: Generation[Variant]
) -> None:
    far = druglike.augment(sources, 6, tries=64, seed=1, radius=6.0, keep_properties=False)
    near, away = (np.mean([v.tanimoto for v in each]) for each in (varied, far))
    assert away < 0.6 * near


def test_the_most_similar_molecules_of_all_that_are_decoded_stay(
    druglike: MoleculeGenerator, varied: Generation[Variant]
) -> None:
    for place in range(0, len(varied), 6):
        similar = [variant.tanimoto for variant in varied[place : place + 6]]
        assert similar == sorted(similar, reverse=True)
    assert np.median([variant.tanimoto for variant in varied]) > 0.5
    assert druglike.model.rings is not None
    for variant in varied:
        allowed = druglike.model.rings.union(rings_of(variant.source.seen.smiles))
        assert allowed.issuperset(rings_of(variant.molecule.smiles))


def test_a_molecule_has_the_same_neighbors_alone_and_in_a_table(
    druglike: MoleculeGenerator, sources: list[Source], varied: Generation[Variant]
) -> None:
    alone = druglike.neighbors(sources[1].seen, 6, tries=FEW, seed=1)
    assert [n.molecule.smiles for n in alone] == [v.molecule.smiles for v in varied[6:12]]


def test_only_similar_molecules_or_those_of_one_scaffold_may_be_asked_for(
    druglike: MoleculeGenerator, sources: list[Source]
) -> None:
    found = druglike.neighbors(sources[1].seen, 200, tries=FEW, seed=1)
    near = druglike.neighbors(sources[1].seen, 200, tries=FEW, seed=1, min_similarity=0.5)
    assert [each.molecule for each in near] == [n.molecule for n in found if n.tanimoto >= 0.5]
    assert near.summary.refusals["not similar enough"] == len(found) - len(near)
    same = druglike.neighbors(sources[1].seen, 200, tries=FEW, seed=1, same_scaffold=True)
    assert 0 < len(same) < len(found)
    assert {murcko_scaffold(Chem.MolFromSmiles(n.molecule.smiles)) for n in same} == {
        murcko_scaffold(Chem.MolFromSmiles(sources[1].seen.smiles))
    }
    for each in (found, near, same):
        assert each.summary.draws == FEW == len(each) + sum(each.summary.refusals.values())


def test_the_same_seed_gives_the_same_variants_however_the_work_is_shared(
    tiny_model_file: Path,
) -> None:
    generator = MoleculeGenerator.load(tiny_model_file)
    sources = sources_of(generator, [smiles for _, smiles in DRUGS[:8]])
    config = GenerateConfig(rings="any", temperature=1.0)
    expected = without_time(generator.augment(sources, 4, config=config, tries=16, seed=1))
    assert expected
    small = generator.augment(sources, 4, config=config, tries=16, seed=1, batch_size=1)
    assert without_time(small) == expected
    with ProcessPoolExecutor(1, mp_context=get_context("forkserver")) as executor:
        shared = generator.augment(sources, 4, config=config, tries=16, seed=1, executor=executor)
    assert without_time(shared) == expected
    other = generator.augment(sources, 4, config=config, tries=16, seed=2)
    assert [v.molecule for v in other] != [v.molecule for v in expected]


def test_a_row_tells_where_a_variant_came_from(
    varied: Generation[Variant],
) -> None:
    row = varied[7].row()
    assert list(row)[:6] == ["ID", "SMILES", "source_ID", "source_SMILES", "source_row", "tanimoto"]
    assert (row["ID"], row["source_ID"], row["source_row"]) == (8, "s2", 2)
    assert not [column for column in row if column.startswith("target_")]


def test_with_no_room_left_fewer_are_found(
    druglike: MoleculeGenerator, sources: list[Source]
) -> None:
    """At its own mean and without a temperature, a code writes one molecule again and again."""
    config = GenerateConfig(temperature=0.0, noise=0.0, guidance=1.0)
    variation = druglike.augment(sources[:1], 5, radius=0.0, tries=16, config=config, seed=1)
    assert len(variation) <= 1
    refusals = variation.summary.refusals
    assert refusals.keys() <= {"duplicate", "a given molecule"}
    assert sum(refusals.values()) >= 12


def test_a_model_that_writes_the_source_back_has_found_no_variant(
    memorized: Memorized, tmp_path: Path
) -> None:
    model, dataset = memorized
    checkpoint = build_checkpoint(model, dataset, train=tiny.TRAIN, trained={})
    checkpoint.save(tmp_path / "memorized.safetensors")
    generator = MoleculeGenerator(checkpoint)
    rows = dataset.members("validation")
    known = [
        decode_canonical(dataset.vocabulary.decode(dataset.molecule(row).tolist())) for row in rows
    ]
    sources = sources_of(generator, known)
    variation = generator.augment(sources, 1, radius=0.0, tries=1, seed=1)
    assert variation.summary.refusals["a given molecule"] >= 24
    assert not {variant.molecule.smiles for variant in variation} & set(known)


def test_what_cannot_be_meant_is_refused(
    druglike: MoleculeGenerator, sources: list[Source]
) -> None:
    for radius in (-1.0, float("nan"), 11.0):
        with pytest.raises(UsageError, match="radius = "):
            druglike.augment(sources, 1, radius=radius)
    with pytest.raises(UsageError, match="n = 0"):
        druglike.augment(sources, 0)
    with pytest.raises(UsageError, match="tries = 0"):
        druglike.augment(sources, 1, tries=0)
    with pytest.raises(UsageError, match="min_similarity = 2"):
        druglike.augment(sources, 1, min_similarity=2.0)
    with pytest.raises(UsageError, match="give a list"):
        druglike.augment([], 1)
    with pytest.raises(UsageError, match="tier consistent"):
        druglike.augment(sources, 1, config=GenerateConfig(tier="raw"))
    with pytest.raises(ConfigError, match="temperature"):
        druglike.augment(sources, 1, config=GenerateConfig(temperature=-1))


def test_a_stop_leaves_what_is_found(druglike: MoleculeGenerator, tiny_model_file: Path) -> None:
    smiles = [smiles for _, smiles in DRUGS[:40]]
    generator = MoleculeGenerator.load(tiny_model_file)
    counts: list[int] = []
    variation = generator.augment(
        sources_of(generator, smiles),
        4,
        seed=1,
        tries=64,
        report=counts.append,
        should_stop=lambda: len(counts) == 1,
    )
    assert len(counts) == 1
    assert counts[0] == len(variation) < 160


@pytest.fixture(scope="module")
def around(druglike: MoleculeGenerator, sources: list[Source]) -> Generation[Neighbor]:
    return druglike.neighbors(sources[0].seen, 8, tries=FEW, seed=1)


def test_neighbors_are_distinct_and_none_is_the_molecule(
    around: Generation[Neighbor], sources: list[Source]
) -> None:
    smiles = [neighbor.molecule.smiles for neighbor in around]
    assert len(set(smiles)) == 8
    assert sources[0].seen.smiles not in smiles
    assert around.summary.tier == "consistent"


def test_a_neighbors_distance_is_that_of_the_codes(
    around: Generation[Neighbor], sources: list[Source], druglike: MoleculeGenerator
) -> None:
    center = druglike.encode([sources[0].seen.smiles])[0]
    for neighbor in around:
        code = druglike.encode([neighbor.molecule.smiles])[0]
        distance = float(np.sqrt(np.mean((code - center) ** 2)))
        assert neighbor.distance == pytest.approx(distance, abs=1e-5)
        assert 0 < neighbor.tanimoto < 1


def test_a_larger_radius_leads_further(
    around: Generation[Neighbor], sources: list[Source], druglike: MoleculeGenerator
) -> None:
    far = druglike.neighbors(sources[0].seen, 8, radius=3.0, tries=FEW, seed=1)
    near, away = (np.nanmean([n.distance for n in each]) for each in (around, far))
    assert away > 1.2 * near


def test_targets_replace_the_molecules_own_properties(
    druglike: MoleculeGenerator, sources: list[Source]
) -> None:
    low, high = (
        druglike.neighbors(sources[0].seen, 8, targets={"tpsa": value}, tries=FEW, seed=1)
        for value in (25.0, 110.0)
    )
    means = [
        np.mean([neighbor.molecule.properties["TPSA"] for neighbor in each]) for each in (low, high)
    ]
    assert means[1] > means[0] + 15
    assert high[0].row()["target_TPSA"] == "110"
    with pytest.raises(UsageError, match="unknown property"):
        druglike.neighbors(sources[0].seen, 1, targets={"sweetness": 1.0})
    with pytest.raises(UsageError, match="n = 0"):
        druglike.neighbors(sources[0].seen, 0)
    with pytest.raises(UsageError, match="radius = "):
        druglike.neighbors(sources[0].seen, 1, radius=-1.0)


def test_noise_leaves_less_and_less_of_a_molecule() -> None:
    """Half a code and half noise, as the decoder that is told of it was taught."""
    posterior = Posterior(torch.ones(1, 4), torch.zeros(1, 4))
    noise = torch.randn(20_000, 4, generator=torch.Generator().manual_seed(0))
    slots = [0] * len(noise)
    for radius, level, mean, deviation in (
        (0.5, 0.0, 1.0, 0.5),
        (0.0, 0.5, 0.5, 0.5),
        (1, 1, 0, 1),
    ):
        codes = _around(posterior, len(noise), radius, level, slots, noise, noise)
        assert float(codes.mean()) == pytest.approx(mean, abs=0.02)
        assert float(codes.std()) == pytest.approx(deviation, abs=0.02)


def test_noise_is_for_models_that_were_taught_it(tiny_model_file: Path) -> None:
    generator = MoleculeGenerator.load(tiny_model_file)
    (aspirin,) = sources_of(generator, ["CC(=O)Oc1ccccc1C(=O)O"])
    for draw in (
        lambda config: generator.augment([aspirin], 1, config=config),
        lambda config: generator.neighbors(aspirin.seen, 1, config=config),
    ):
        with pytest.raises(UsageError, match="was trained without noise"):
            draw(GenerateConfig(noise=0.5))
