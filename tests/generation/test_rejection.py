"""Which draws become molecules, with a decoder that writes what a script says."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rdkit import Chem

from molvae.chem.candidates import Candidate, Checks, decode_and_check_all
from molvae.chem.properties import measure
from molvae.chem.rings import rings_of
from molvae.chem.selfies import encode
from molvae.chem.smiles import DEFAULT_STANDARDIZATION, canonicalize
from molvae.config import GenerateConfig
from molvae.errors import UsageError
from molvae.generation.proposals import NOISE, POINTS, TOKENS, Proposal, slot_random
from molvae.generation.rejection import RejectionSampler
from molvae.generation.results import Generated, Generation
from molvae.normalizer import PropertyNormalizer
from molvae.presets import DrawSettings
from molvae.targets import Range, Request, Wanted
from molvae.training_index import BloomFilter, molecule_hash
from tests.drugs import DRUGS

SMILES = list(dict.fromkeys(canonicalize(smiles, stereo=False) for _, smiles in DRUGS))[:60]
SELFIES = [encode(smiles) for smiles in SMILES]
MEASURED = ("MW", "LogP")
NORMALIZER = PropertyNormalizer.fit(
    MEASURED, np.array([measure(Chem.MolFromSmiles(smiles), MEASURED) for smiles in SMILES])
)
WEIGHTS = {smiles: float(measure(Chem.MolFromSmiles(smiles), ["MW"])[0]) for smiles in SMILES}
NO_INDEX = BloomFilter.of(np.zeros(0, dtype=np.uint64))

REPAIRED = ["[C]", "[F]", "[C]"]  # fluorine has one bond: decodes to CF
NOTHING: list[str] = []
CATECHOL = encode("Oc1ccccc1O")

Script = Callable[[int, int], list[str] | Proposal]  # slot, attempt -> what the decoder writes


def start(
    script: Script,
    n: int,
    asked: Sequence[Mapping[str, Wanted]] = ({},),
    *,
    seed: int = 0,
    index: BloomFilter = NO_INDEX,
    normalizer: PropertyNormalizer = NORMALIZER,
    measured: tuple[str, ...] = MEASURED,
    seen: dict[int, np.ndarray] | None = None,
    rings: frozenset[str] | None = None,
    **settings: object,
) -> RejectionSampler:
    """Start a run whose decoder writes what `script` says."""

    def propose(slots: Sequence[int], points: np.ndarray, attempt: int) -> list[Proposal]:
        if seen is not None:
            seen.update(zip(slots, points, strict=True))
        written = [script(slot, attempt) for slot in slots]
        return [
            text if isinstance(text, Proposal) else Proposal(slot, text, True, 10.0, {})
            for slot, text in zip(slots, written, strict=True)
        ]

    model: Any = SimpleNamespace(
        normalizer=normalizer,
        measured=measured,
        labels=tuple(name for name in normalizer.quantities if name not in measured),
        standardization=DEFAULT_STANDARDIZATION,
        checkpoint=SimpleNamespace(index=index),
        allowed_rings=lambda config, given: rings,
        name="0123456789ab",
    )
    requests = [Request.for_model(one, normalizer) for one in asked]
    chosen = DrawSettings.of(GenerateConfig(**settings))  # type: ignore[arg-type]
    sampler = RejectionSampler(model, requests, chosen, n=n, seed=seed)
    sampler.propose = propose  # type: ignore[assignment]
    return sampler


def finish(
    sampler: RejectionSampler, *, at_once: int = 64, stop_after: int = -1
) -> Generation[Generated]:
    """Let a run end; `stop_after` so many hand-overs it is told to stop."""
    asked = count(0)
    counts: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("molvae.generation.rejection.TILE", 1)  # whole tiles are under way at once
        found = sampler.run(
            batch_size=at_once, report=counts.append, should_stop=lambda: next(asked) == stop_after
        )
    assert counts == sorted(counts)
    return replace(found, summary=found.summary._replace(seconds=1.0))


def draw(script: Script, n: int, *more: object, **settings: object) -> Generation[Generated]:
    return finish(start(script, n, *more, **settings))  # type: ignore[arg-type]


def smiles_of(generation: Generation[Generated]) -> list[str]:
    return [molecule.smiles for molecule in generation.molecules]


def one_of_each(slot: int, attempt: int) -> list[str]:
    return SELFIES[slot]


def the_first_again_and_again(slot: int, attempt: int) -> list[str]:
    return SELFIES[0]


def at_random(slot: int, attempt: int) -> list[str]:
    """Half of what a decoder can do wrong, the same for a slot and attempt in any order."""
    random = slot_random(5, slot, attempt, TOKENS)
    kinds = [NOTHING, REPAIRED, CATECHOL, *(SELFIES[i] for i in random.integers(0, 60, 4))]
    return kinds[random.integers(len(kinds))]


def test_good_draws_are_taken_as_they_come() -> None:
    found = draw(one_of_each, 5)
    assert smiles_of(found) == SMILES[:5]
    assert [molecule.id for molecule in found.molecules] == [1, 2, 3, 4, 5]
    summary = found.summary
    assert (summary.requested, summary.found, summary.draws) == (5, 5, 5)
    assert (summary.acceptance, summary.uniqueness, summary.novelty) == (1.0, 1.0, 1.0)
    assert summary.refusals == {}
    molecule = found.molecules[3]
    expected = measure(Chem.MolFromSmiles(SMILES[3]), MEASURED)
    assert list(molecule.properties.values()) == pytest.approx(list(expected))


def test_a_duplicate_is_refused_and_drawn_again() -> None:
    found = draw(lambda slot, attempt: SELFIES[0] if attempt == 0 else SELFIES[slot], 3)
    assert smiles_of(found) == SMILES[:3]
    assert found.summary.refusals == {"duplicate": 2}
    assert found.summary.draws == 5
    assert found.summary.uniqueness == 1 / 3  # of the first draws, before any was refused


def test_another_spelling_is_a_duplicate_too() -> None:
    backwards = encode("OC(=O)c1ccccc1OC(C)=O")
    assert backwards != SELFIES[0]  # aspirin
    found = draw(lambda slot, attempt: (SELFIES[0], backwards)[slot], 2, max_tries=1)
    assert smiles_of(found) == [SMILES[0]]


@pytest.mark.parametrize("settings", [{"tier": "raw"}, {"unique": False}])
def test_duplicates_stay_when_they_are_wanted(settings: dict[str, object]) -> None:
    found = draw(the_first_again_and_again, 3, **settings)
    assert smiles_of(found) == SMILES[:1] * 3
    assert (found.summary.draws, found.summary.refusals) == (3, {})
    assert found.summary.uniqueness == 1 / 3


def test_a_repaired_draw_is_refused_and_counted_unless_the_tier_is_raw() -> None:
    def repaired_first(slot: int, attempt: int) -> list[str]:
        return REPAIRED if attempt == 0 and slot < 2 else SELFIES[slot]

    found = draw(repaired_first, 4)
    assert smiles_of(found) == SMILES[:4]
    assert found.summary.refusals == {"repaired by SELFIES": 2}
    assert found.summary.acceptance == 0.5
    raw = draw(repaired_first, 4, tier="raw")
    assert smiles_of(raw) == ["CF", "CF", *SMILES[2:4]]
    assert raw.summary.acceptance == 0.5
    assert (raw.summary.refusals, raw.summary.draws) == ({}, 4)


def test_a_draw_that_did_not_end_is_not_consistent_even_if_it_reads_well() -> None:
    def cut(slot: int, attempt: int) -> Proposal:
        return Proposal(slot, SELFIES[slot + 10 * attempt], attempt > 0, 10.0, {})

    found = draw(cut, 2)
    assert smiles_of(found) == SMILES[10:12]
    assert found.summary.refusals == {"did not end": 2}
    assert found.summary.acceptance == 0.0
    assert smiles_of(draw(cut, 2, tier="raw")) == SMILES[:2]


def test_when_all_tries_are_spent_the_rest_is_missing() -> None:
    found = draw(the_first_again_and_again, 3, max_tries=5)
    assert smiles_of(found) == SMILES[:1]
    assert found.summary.draws == 1 + 2 * 5
    assert found.summary.refusals == {"duplicate": 10}
    assert found.summary.uniqueness == 1 / 3  # of the first draws, not of the molecules found


@pytest.mark.parametrize("tier", ["raw", "consistent"])
@pytest.mark.parametrize("best_of", [1, 3])
def test_a_decoder_that_writes_nothing_ends_too(tier: str, best_of: int) -> None:
    found = draw(lambda slot, attempt: NOTHING, 4, max_tries=6, tier=tier, best_of=best_of)
    assert found.molecules == []
    assert found.summary.draws == 4 * 6 * best_of
    assert found.summary.refusals == {"no atom": 24 * best_of}
    assert found.summary.acceptance == 0.0
    assert math.isnan(found.summary.uniqueness)


def test_an_id_names_its_row_when_others_are_missing() -> None:
    found = draw(lambda slot, _: NOTHING if slot == 1 else SELFIES[slot], 3, max_tries=2)
    assert [molecule.id for molecule in found.molecules] == [1, 3]


def distance(smiles: str, weight: float) -> float:
    return abs(WEIGHTS[smiles] - weight)


def test_best_of_keeps_the_nearest_to_the_target() -> None:
    found = draw(
        lambda slot, attempt: SELFIES[4 * slot + attempt], 3, [{"MW": (250.0, 250.0)}], best_of=4
    )
    for slot, smiles in enumerate(smiles_of(found)):
        candidates = SMILES[4 * slot : 4 * slot + 4]
        assert smiles == min(candidates, key=lambda other: distance(other, 250.0))
    assert found.summary.tier == "reranked(4)"
    assert found.summary.draws == 12
    assert found.summary.refusals == {"another was nearer": 9}


def test_best_of_weighs_properties_by_their_spread() -> None:
    # 50 Da are less than one standard deviation, 3 units of LogP are more than one.
    asked: dict[str, Range] = {"MW": (200.0, 200.0), "LogP": (1.0, 1.0)}
    scale = dict(zip(MEASURED, NORMALIZER.scale, strict=True))

    def badness(smiles: str) -> float:
        values = measure(Chem.MolFromSmiles(smiles), MEASURED)
        wanted = [asked[name][0] for name in MEASURED]
        return float(sum(((values - wanted) / list(scale.values())) ** 2))

    found = draw(lambda slot, attempt: SELFIES[attempt], 1, [asked], best_of=20)
    assert smiles_of(found) == [min(SMILES[:20], key=badness)]


@pytest.mark.parametrize("asked", [{}, {"MW": (0.0, 1000.0)}])
def test_best_of_equals_keeps_the_first(asked: dict[str, Range]) -> None:
    assert smiles_of(draw(lambda s, a: SELFIES[a], 1, [asked], best_of=4)) == SMILES[:1]


def test_best_of_takes_what_it_has_when_tries_are_spent() -> None:
    def rarely(slot: int, attempt: int) -> list[str]:
        return SELFIES[attempt] if attempt in (3, 5) else REPAIRED

    found = draw(rarely, 1, [{"MW": (WEIGHTS[SMILES[5]],) * 2}], best_of=4, max_tries=2)
    assert smiles_of(found) == [SMILES[5]]
    assert found.summary.draws == 8
    assert found.summary.refusals == {"repaired by SELFIES": 6, "another was nearer": 1}


def test_best_of_leaves_a_molecule_to_the_row_that_had_it_first() -> None:
    asked: dict[str, Range] = {"MW": (WEIGHTS[SMILES[1]],) * 2}
    found = draw(lambda slot, attempt: SELFIES[attempt], 2, [asked], best_of=2)
    assert smiles_of(found) == [SMILES[1], SMILES[0]]


def test_best_of_drops_what_another_row_took_meanwhile() -> None:
    drawn = {(0, 0): 5, (1, 0): 1, (0, 1): 1, (1, 1): 2}  # (slot, attempt) -> drug
    asked: dict[str, Range] = {"MW": (WEIGHTS[SMILES[1]],) * 2}
    found = draw(lambda slot, attempt: SELFIES[drawn[slot, attempt]], 2, [asked], best_of=2)
    assert smiles_of(found) == [SMILES[1], SMILES[2]]
    assert found.summary.refusals == {"duplicate": 1, "another was nearer": 1}


def test_best_of_counts_only_molecules_that_are_free() -> None:
    drawn = {(0, 0): 7, (0, 1): 1, (1, 0): 5, (1, 1): 1, (1, 2): 2}
    asked: dict[str, Range] = {"MW": (WEIGHTS[SMILES[1]],) * 2}
    found = draw(lambda slot, attempt: SELFIES[drawn[slot, attempt]], 2, [asked], best_of=2)
    assert smiles_of(found) == [SMILES[1], SMILES[2]]


def test_a_filter_refuses_by_name_and_another_is_drawn() -> None:
    def script(slot: int, attempt: int) -> list[str]:
        return CATECHOL if attempt == 0 else SELFIES[slot]

    found = draw(script, 2, filters=("pains",))  # in any case
    assert smiles_of(found) == SMILES[:2]
    assert found.summary.refusals == {"filter PAINS": 2}
    assert smiles_of(draw(script, 1, filters=("PAINS",), tier="raw")) == SMILES[:1]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"smarts": ("[CX3](=O)[OX2H]",)}, "without [CX3](=O)[OX2H]"),
        ({"not_smarts": ("c1ccccc1O", "[NX3]")}, "with [NX3]"),
    ],
)
def test_a_pattern_refuses_by_name(settings: dict[str, object], reason: str) -> None:
    aniline, acid = encode("Nc1ccccc1"), encode("O=C(O)c1ccccc1")
    found = draw(lambda slot, attempt: (aniline, acid)[attempt], 1, **settings)
    assert smiles_of(found) == ["O=C(O)c1ccccc1"]
    assert found.summary.refusals == {reason: 1}


def test_a_rare_ring_system_is_refused_and_another_is_drawn() -> None:
    fulvene = encode("CC=C1C=CC=C1")

    def script(slot: int, attempt: int) -> list[str]:
        return fulvene if attempt == 0 else SELFIES[slot]

    known = frozenset(system for smiles in SMILES[:2] for system in rings_of(smiles))
    found = draw(script, 2, rings=known)
    assert smiles_of(found) == SMILES[:2]
    assert found.summary.refusals == {"rare ring system": 2}
    assert smiles_of(draw(script, 1, rings=None)) == ["CC=C1C=CC=C1"]


def test_novel_refuses_the_training_set() -> None:
    index = BloomFilter.of(molecule_hash(SMILES[:2]))
    found = draw(one_of_each, 4, index=index)
    assert [molecule.novel for molecule in found.molecules] == [False, False, True, True]
    assert found.summary.novelty == 0.5
    new = draw(lambda s, a: SELFIES[(s + 2 * a) % 60], 2, index=index, novel=True)
    assert smiles_of(new) == SMILES[2:4]
    assert new.summary.refusals == {"in the training set": 2}


def test_in_range_refuses_what_lies_outside_and_names_the_property() -> None:
    low, high = 200.0, 300.0
    asked: list[dict[str, Range]] = [{"MW": (low, high)}]
    found = draw(lambda slot, attempt: SELFIES[attempt], 1, asked, in_range=True, max_tries=60)
    assert smiles_of(found) == [next(s for s in SMILES if low <= WEIGHTS[s] <= high)]
    assert set(found.summary.refusals) <= {"MW out of range"}
    none = draw(one_of_each, 3, [{"LogP": (40.0, math.inf)}], in_range=True, max_tries=2)
    assert none.summary.refusals == {"LogP out of range": 6}


def test_in_range_refuses_what_is_too_far_from_a_point() -> None:
    weight, scale = WEIGHTS[SMILES[3]], dict(zip(MEASURED, NORMALIZER.scale, strict=True))["MW"]
    asked: list[dict[str, Range]] = [{"MW": (weight, weight), "LogP": (-99.0, 99.0)}]
    for within in (0.1, 0.5):
        near = [s for s in SMILES if abs(WEIGHTS[s] - weight) <= within * scale]
        found = draw(one_of_each, 60, asked, in_range=True, within=within, max_tries=1)
        assert smiles_of(found) == near
        assert found.summary.refusals == {"MW out of range": 60 - len(near)}
        assert found.summary.all_met == 1.0


def test_best_of_prefers_a_range_that_is_met_to_a_point_that_is_near() -> None:
    met = next(s for s in SMILES if WEIGHTS[s] > 250.0 > WEIGHTS[SMILES[0]])
    low_p = float(measure(Chem.MolFromSmiles(SMILES[0]), ["LogP"])[0])
    asked: dict[str, Range] = {"MW": (250.0, 9999.0), "LogP": (low_p, low_p)}
    script = [SELFIES[0], SELFIES[SMILES.index(met)]]
    found = draw(lambda slot, attempt: script[attempt], 1, [asked], best_of=2)
    assert smiles_of(found) == [met]


def test_the_share_of_molecules_that_meet_all_targets_is_told() -> None:
    asked: list[dict[str, Range]] = [{"MW": (0.0, 300.0), "LogP": (1.0, 3.0)}]
    found = draw(one_of_each, 40, asked)
    values = [measure(Chem.MolFromSmiles(smiles), MEASURED) for smiles in smiles_of(found)]
    met = [weight <= 300.0 and 1.0 <= log_p <= 3.0 for weight, log_p in values]
    assert found.summary.all_met == pytest.approx(np.mean(met))
    assert 0.0 < found.summary.all_met < 1.0
    assert math.isnan(draw(one_of_each, 3).summary.all_met)


def test_what_nobody_can_mean_is_refused_before_the_first_draw() -> None:
    def never(slot: int, attempt: int) -> list[str]:
        raise AssertionError("something was drawn")

    with pytest.raises(UsageError, match=r"unknown filter 'PAIN'; did you mean 'PAINS'\?.*BRENK"):
        start(never, 1, filters=("PAIN",))
    for settings in ({"smarts": ("C1CC",)}, {"not_smarts": ("(",)}):
        with pytest.raises(UsageError, match="not SMARTS"):
            start(never, 1, **settings)


def test_rows_are_shared_out_evenly_and_in_order() -> None:
    asked: list[dict[str, Range]] = [{"MW": (w, w)} for w in (200.0, 300.0, 400.0)]
    for n in (3, 7, 8, 50):
        found = draw(one_of_each, n, asked)
        weights = [molecule.targets["MW"][0] for molecule in found.molecules]
        assert weights == sorted(weights)
        shares = [weights.count(wanted) for wanted in (200.0, 300.0, 400.0)]
        assert sum(shares) == n
        assert max(shares) - min(shares) <= 1


def test_the_decoder_is_asked_for_points_inside_the_ranges() -> None:
    asked: list[dict[str, Range]] = [{"MW": (250.0, 300.0)}, {"LogP": (-math.inf, 2.0)}, {}]
    seen: dict[int, np.ndarray] = {}
    draw(one_of_each, 60, asked, seen=seen)
    points = np.array([seen[slot] for slot in range(60)])
    weight, logp = points.T
    assert ((weight[:20] >= 250.0) & (weight[:20] <= 300.0)).all()
    assert (logp[20:40] <= 2.0).all()
    assert len(set(weight[:20])) == len(set(logp[20:40])) == 20  # spread, not one value
    assert np.isnan(weight[20:]).all()
    assert np.isnan(logp[:20]).all()
    assert np.isnan(points[40:]).all()


def test_a_point_is_asked_for_as_it_is_and_stays_the_same_for_every_try() -> None:
    seen: dict[int, np.ndarray] = {}
    drawing = start(lambda s, a: NOTHING, 2, [{"MW": (321.5, 321.5)}], seen=seen, max_tries=3)
    finish(drawing)
    assert [row[0] for row in seen.values()] == [321.5, 321.5]


def test_a_target_far_outside_the_training_set_marks_its_rows() -> None:
    asked: list[dict[str, Range]] = [{"MW": (5000.0, 5000.0)}, {"MW": (300.0, math.inf)}]
    assert [m.ood for m in draw(one_of_each, 2, asked).molecules] == [True, False]


SETTINGS: list[dict[str, object]] = [
    {},
    {"tier": "raw"},
    {"best_of": 3},
    {"best_of": 3, "tier": "raw"},
    {"in_range": True, "max_tries": 4},
    {"best_of": 2, "filters": ("PAINS",), "unique": False},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_the_same_molecules_come_however_many_are_under_way(settings: dict[str, object]) -> None:
    asked: list[dict[str, Range]] = [{"MW": (200.0, 350.0)}, {"LogP": (1.0, 1.0)}]

    def all_of(at_once: int) -> Generation:
        generation = finish(start(at_random, 45, asked, **settings), at_once=at_once)
        return replace(generation, summary=generation.summary._replace(seconds=0.0))

    expected = all_of(64)
    assert 10 < len(expected.molecules) <= 45
    assert all_of(1) == expected
    assert all_of(7) == expected


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("stop_after", [-1, 0, 1, 9])
def test_every_draw_is_found_or_refused(settings: dict[str, object], stop_after: int) -> None:
    drawing = start(at_random, 45, [{"MW": (200.0, 350.0)}], **settings)
    found = finish(drawing, at_once=10, stop_after=stop_after)
    summary = found.summary
    assert summary.draws == summary.found + sum(summary.refusals.values())
    assert summary.found == len(found.molecules)
    assert list(summary.refusals.values()) == sorted(summary.refusals.values(), reverse=True)
    if drawing.settings.tier == "consistent" and drawing.settings.unique:
        assert len(set(smiles_of(found))) == len(found.molecules)


def test_a_run_that_is_stopped_keeps_what_it_has() -> None:
    found = finish(start(one_of_each, 20), at_once=4, stop_after=3)
    assert smiles_of(found) == SMILES[:12]
    assert found.summary.draws == 12


def test_a_molecule_stays_unique_beyond_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("molvae.generation.rejection.BLOCK", 8)
    found = draw(lambda slot, attempt: SELFIES[(slot + attempt) % 8 + 8 * (attempt > 8)], 12)
    assert len(set(smiles_of(found))) == len(found.molecules) == 12


def test_the_randomness_of_a_slot_is_its_own() -> None:
    def numbers(seed: int, slot: int, attempt: int, purpose: int) -> tuple[float, ...]:
        return tuple(slot_random(seed, slot, attempt, purpose).random(4))

    assert numbers(1, 2, 3, NOISE) == numbers(1, 2, 3, NOISE)
    others = [(1, 2, 3, NOISE), (2, 2, 3, NOISE), (1, 3, 3, NOISE), (1, 2, 4, NOISE)]
    others += [(1, 3, 2, NOISE), (1, 2, 3, TOKENS), (1, 2, 3, POINTS)]
    assert len({numbers(*other) for other in others}) == len(others)


def test_no_two_streams_share_a_number() -> None:
    streams = [
        slot_random(0, slot, attempt, purpose).random(500)
        for slot in range(3)
        for attempt in range(3)
        for purpose in (NOISE, TOKENS, POINTS)
    ]
    assert len(np.unique(np.concatenate(streams))) == 27 * 500


# The drugs again, with the label whether they hold a halogen.
HALOGEN = Chem.MolFromSmarts("[F,Cl,Br,I]")
HAS_HALOGEN = [Chem.MolFromSmiles(smiles).HasSubstructMatch(HALOGEN) for smiles in SMILES]
COLUMNS = ("MW", "halogen=no", "halogen=yes")
WITH_CLASSES = PropertyNormalizer.fit(
    COLUMNS,
    np.array([[WEIGHTS[s], not has, has] for s, has in zip(SMILES, HAS_HALOGEN, strict=True)]),
    classes={"halogen": ("no", "yes")},
)


def read_rightly(slot: int, drug: int) -> Proposal:
    """What a decoder writes whose property head knows a halogen when it sees one."""
    speaks = 0.9 if HAS_HALOGEN[drug] else 0.2
    return Proposal(
        slot, SELFIES[drug], True, 9.0, {"MW": 0.0, "halogen=no": 1 - speaks, "halogen=yes": speaks}
    )


def with_classes(asked: Wanted, **settings: object) -> Generation:
    """Draw 5 molecules out of the drugs in order, each slot from its own dozen."""
    drawing = start(
        lambda slot, attempt: read_rightly(slot, 12 * slot + (attempt + 4) % 12),
        5,
        [{"halogen": asked}],
        normalizer=WITH_CLASSES,
        measured=("MW",),
        **settings,  # type: ignore[arg-type]
    )
    return finish(drawing)


def halogens(generation: Generation) -> list[bool]:
    return [HAS_HALOGEN[SMILES.index(molecule.smiles)] for molecule in generation.molecules]


def test_a_class_label_is_read_off_by_the_property_head_as_one_label() -> None:
    found = with_classes("yes")
    for molecule, has in zip(found.molecules, halogens(found), strict=True):
        assert molecule.predicted == {
            "halogen": pytest.approx({"no": 0.1, "yes": 0.9} if has else {"no": 0.8, "yes": 0.2})
        }
        assert list(molecule.properties) == ["MW"]
        assert molecule.targets == {"halogen": "yes"}
        assert not molecule.ood
    control = found.summary.control["halogen"]
    assert control.hit_rate == np.mean(halogens(found))
    assert control.mean == pytest.approx(np.mean([0.9 if has else 0.2 for has in halogens(found)]))


@pytest.mark.parametrize("settings", [{"in_range": True}, {"best_of": 12}])
def test_a_class_can_be_insisted_on(settings: dict[str, object]) -> None:
    assert 0 < sum(halogens(with_classes("yes"))) < 5
    assert all(halogens(with_classes("yes", **settings)))
    assert not any(halogens(with_classes("no", **settings)))
    if "in_range" in settings:
        assert halogens(with_classes("no|yes", **settings)) == halogens(with_classes("no|yes"))


def test_a_refusal_for_a_class_names_the_label() -> None:
    assert set(with_classes("yes", in_range=True).summary.refusals) == {"halogen out of range"}


def test_the_decoder_is_asked_for_all_columns_of_a_class() -> None:
    seen: dict[int, np.ndarray] = {}
    asked: list[dict[str, Wanted]] = [{"halogen": "yes"}, {}]
    finish(
        start(
            read_rightly, 2, asked, normalizer=WITH_CLASSES, measured=("MW",), seen=seen, tier="raw"
        )
    )
    np.testing.assert_array_equal(seen[0], [np.nan, 0.0, 1.0])
    assert np.isnan(seen[1]).all()


def test_chemistry_goes_on_while_the_next_draws_are_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is handed over is looked at late, and the first draws of the next block come before."""
    written: list[tuple[int, int]] = []

    def script(slot: int, attempt: int) -> list[str]:
        written.append((slot, attempt))
        return REPAIRED if attempt == 0 and slot == 0 else SELFIES[slot]

    looked_at: list[int] = []

    def examine(work: list[tuple[list[str], Checks]]) -> Iterable[Candidate]:
        so_far = len(written)

        def later() -> Iterable[Candidate]:
            looked_at.append(len(written) - so_far)
            yield from decode_and_check_all(work)

        return later()

    monkeypatch.setattr("molvae.generation.rejection.decode_and_check_all", examine)
    monkeypatch.setattr("molvae.generation.rejection.TILE", 16)
    drawing = start(script, 60)
    drawing.run(batch_size=16)
    assert len(drawing.found) == 60
    assert max(looked_at) == 0  # a piece is as large as what may be under way
    written.clear()
    looked_at.clear()
    monkeypatch.setattr("molvae.generation.rejection.PIECE", 4)
    monkeypatch.setattr("molvae.generation.rejection.BLOCK", 32)
    again = start(script, 60)
    again.run(batch_size=16)
    assert {k: m.smiles for k, m in again.found.items()} == {
        k: m.smiles for k, m in drawing.found.items()
    }
    assert looked_at[0] == 12  # three more pieces were written before the first was looked at
    assert written.index((32, 0)) < written.index((0, 1))
