"""How likely a model holds molecules to be, and whether it knows molecules of other kinds apart."""

import csv
import gzip
import random
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from rdkit import Chem

from molvae.checkpoint import Checkpoint
from molvae.chem.gate import validate
from molvae.chem.properties import measure
from molvae.chem.selfies import decode_canonical
from molvae.chem.smiles import canonicalize
from molvae.errors import ArtifactError, Rejected, UsageError
from molvae.generation.model import LoadedModel
from molvae.generation.score import Score, typicality_of
from molvae.generator import MoleculeGenerator
from molvae.model.likelihood import noise_of
from molvae.model.losses import reconstruction_loss
from molvae.model.ood import CODES, MIN_MOLECULES, Typicality
from molvae.training_index import molecule_hash
from molvae.vocabulary import EOS
from tests.drugs import DRUGS

ROOT = Path(__file__).parents[2]
ZINC = ROOT.parent / "shared" / "data" / "zinc" / "zinc250k.csv.gz"
ASPIRIN, CAFFEINE = "CC(=O)Oc1ccccc1C(=O)O", "Cn1c(=O)c2c(ncn2C)n(C)c1=O"
# As in QM9: up to nine atoms of C, N, O, F.
SMALL = (
    "CCO CC=O CC#N C1CC1 C1CO1 c1cc[nH]c1 c1ccoc1 c1cnc[nH]1 C1CCCC1 CC(C)=O CC(=O)O NC=O CNC=O"
    " CC(N)=O OCCO NCCO C1CCNC1 C1CCOC1 O=C1CCC1 O=C1CCCC1 CC1CC1 OC1CC1 N#CC#N FC(F)F CC(F)F"
    " c1ccccc1 Cc1ccccc1 Oc1ccccc1 Nc1ccccc1 Fc1ccccc1 c1ccncc1 c1cnccn1 c1ccnnc1 Cc1cccnc1"
    " C1CCCCC1 C1CCNCC1 C1CCOCC1 C1COCCN1 O=C1CCCCC1 OC1CCCCC1 C1CC2CCC1C2 C1CC2CC2C1 CC(C)(C)O"
    " CC(C)(C)C CCCCCCCC CCCCCCO CCCCC#N COC(C)=O CCOC=O CCOCC OCC(O)CO NC(=O)C=O O=CNC=O CC#CC"
    " C=CC=C C#CCO C1=CCC=CC1 O=C1CCC(=O)N1 O=C1CNC(=O)N1 Cc1c[nH]nc1 Cc1ncon1 NC1=NCCO1 C1CC12CC2"
).split()
# Hormones and transmitters: enkephalins, oxytocin, vasopressin, angiotensins, kinins, tachykinins,
# somatostatin, melittin's kin and others, in one letter a residue.
PEPTIDES = (
    "YGGFM YGGFL CYIQNCPLG CYFQNCPRG DRVYIHPF DRVYIHPFHL RPPGFSPFR KRPPGFSPFR RPKPQQFFGLM"
    " HKTDSFVGLM DMHDFFVGLM QHWSYGLRPG AGCKNFFWKTFTSC YPWF YPFPGPI DYMGWMDF"
    " SYSMEHFRWGKPV QLYENKPRRPYIL VYIHPF RVYIHPF FLRF GRGDSP KLVFF WHWLQL"
).split()
# Muscone, exaltolide, zearalenone, 18-crown-6, epothilone A, brefeldin A, radicicol, DOTA, cyclam,
# erythromycin.
MACROCYCLES = (
    "CC1CCCCCCCCCCCCC(=O)C1 O=C1CCCCCCCCCCCCCCO1 CC1CCCC(=O)CCCC=Cc2cc(O)cc(O)c2C(=O)O1"
    " C1COCCOCCOCCOCCOCCO1 CC1CCCC2OC2CC(OC(=O)CC(O)C(C)(C)C(=O)C(C)C1O)C(C)=Cc1csc(C)n1"
    " CC1CCCC=CC2CC(O)CC2C(O)C=CC(=O)O1 CC1CC2OC2C=CC=CC(=O)Cc2c(Cl)c(O)cc(O)c2C(=O)O1"
    " OC(=O)CN1CCN(CC(=O)O)CCN(CC(=O)O)CCN(CC(=O)O)CC1 C1CNCCNCCCNCCNC1"
    " CCC1OC(=O)C(C)C(OC2CC(C)(OC)C(O)C(C)O2)C(C)C(OC2OC(C)CC(C2O)N(C)C)C(C)(O)CC(C)C(=O)C(C)"
    "C(O)C1(C)O"
).split()


@pytest.fixture(scope="module")
def tiny(tiny_model_file: Path) -> MoleculeGenerator:
    return MoleculeGenerator.load(tiny_model_file)


def zinc_like(name: str) -> list[str]:
    """Return 300 molecules of the kind that the bundled model knows, in random order."""
    if name == "its own drawings":
        path, opened = ROOT / "datasets" / "druglike-10k.csv", open
        column, wanted = "SMILES", None
    else:
        path, opened = ZINC, gzip.open
        column, wanted = "smiles", "test"
        if not path.is_file():
            pytest.skip(f"{path} is not here: ZINC may not be redistributed")
    with opened(path, "rt", newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row.get("split_jtnn") == wanted]
    return [row[column] for row in random.Random(0).sample(rows, 300)]


class Compared(NamedTuple):
    """The bundled model, compared with 200 held-out molecules, and the scores of 100 others."""

    generator: MoleculeGenerator
    others: list[Score]


@pytest.fixture(scope="module", params=["its own drawings", "ZINC"])
def compared(request: pytest.FixtureRequest) -> Compared:
    generator = MoleculeGenerator.load("druglike")
    generator.checkpoint.provenance.pop("typicality", None)
    smiles = zinc_like(request.param)
    held_out = [score for score in generator.score(smiles[:200]) if score.elbo is not None]
    points = [points_of(score) for score in held_out]
    typicality = Typicality.fit(
        np.array(points), split="validation", codes=CODES, given=generator.measured
    )
    generator.checkpoint.provenance["typicality"] = typicality.to_dict()
    return Compared(generator, generator.score(smiles[200:]))


def points_of(score: Score) -> tuple[float, ...]:
    assert score.elbo is not None
    return -score.elbo, float(score.nll_per_symbol or 0), float(score.misreading or 0)


def area(inside: list[Score], outside: list[Score]) -> float:
    """Return how often a molecule outside is odder than one inside."""
    those, these = (
        np.array([s.percentile for s in scores if s.elbo is not None], dtype=float)
        for scores in (inside, outside)
    )
    above = these[:, None] > those
    return float((above + 0.5 * (these[:, None] == those)).mean())


def folded(sequence: str) -> str:
    return str(Chem.MolToSmiles(Chem.MolFromSequence(sequence)))


def test_molecules_of_the_kind_that_was_learned_pass(compared: Compared) -> None:
    beyond = [score for score in compared.others if (score.percentile or 0) > 99]
    assert len(beyond) <= 6, "1 % of 100 are expected"
    percentiles = [score.percentile or 0 for score in compared.others]
    assert 35 < np.median(percentiles) < 65


def test_small_molecules_are_told_from_druglike_ones(compared: Compared) -> None:
    """By what the model makes of them: their likelihood alone is as high as that of the others."""
    found = compared.generator.score(SMALL)
    assert all(score.ood for score in found), "all are lighter than the training set's"
    assert area(compared.others, found) > 0.97
    assert np.mean([(score.percentile or 0) > 99 for score in found]) > 0.8
    raw = [float(np.median([s.elbo or 0 for s in scores])) for scores in (compared.others, found)]
    assert abs(raw[0] - raw[1]) < 10


def test_peptides_are_told_from_druglike_molecules(compared: Compared) -> None:
    found = compared.generator.score([folded(sequence) for sequence in PEPTIDES])
    assert area(compared.others, found) > 0.9
    assert np.mean([bool(score.ood) for score in found]) > 0.9


def test_macrocycles_are_told_from_druglike_molecules(compared: Compared) -> None:
    found = compared.generator.score([canonicalize(s, stereo=False) for s in MACROCYCLES])
    assert area(compared.others, found) > 0.97
    assert np.mean([(score.percentile or 0) > 99 for score in found]) > 0.6


def test_a_molecule_with_its_symbols_shuffled_is_odder(compared: Compared) -> None:
    generator, chance = compared.generator, random.Random(0)
    drugs = [canonicalize(s, stereo=False) for _, s in DRUGS[:45] if "." not in s]
    drugs = [s for s, score in zip(drugs, generator.score(drugs), strict=True) if not score.ood]
    assert len(drugs) > 10
    shuffled = []
    for smiles in drugs:
        symbols = validate(smiles, generator.standardization).symbols
        shuffled.append(decode_canonical(chance.sample(symbols, len(symbols))))
    before, after = generator.score(drugs), generator.score([s for s in shuffled if s])
    assert area(before, after) > 0.95


def test_it_is_said_which_figure_is_odd(compared: Compared) -> None:
    (score,) = compared.generator.score(["C1CC1N1CC1C1CC1C1OC1C1CN1C1CC1C1OC1"])
    assert (score.percentile or 0) > 99
    assert re.search(r"\d nats a symbol, where 0\.\d+ \+- 0\.\d+ is usual", score.ood)


def test_a_score_depends_on_neither_spelling_company_nor_order(tiny: MoleculeGenerator) -> None:
    (alone,) = tiny.score([ASPIRIN])
    many = [smiles for _, smiles in DRUGS[:90]]
    among = tiny.score([*many, "OC(=O)c1ccccc1OC(C)=O", CAFFEINE])[90]
    assert points_of(among) == pytest.approx(points_of(alone), rel=1e-4)
    assert among.percentile == pytest.approx(alone.percentile, abs=0.1)
    backwards = tiny.score(many[::-1])[::-1]
    for one, other in zip(tiny.score(many), backwards, strict=True):
        assert one.ood == other.ood
        if one.elbo is not None:
            assert points_of(one) == pytest.approx(points_of(other), rel=1e-4)


def test_figures_are_those_of_the_model(tiny: MoleculeGenerator) -> None:
    """With one code the ELBO is a draw: the cost of the string and the ratio of two Gaussians."""
    checkpoint = tiny.checkpoint
    (found,) = tiny.score([ASPIRIN], codes=1)
    symbols = validate(ASPIRIN, tiny.standardization).symbols
    ids = torch.tensor([[*checkpoint.vocabulary.encode(symbols).tolist(), EOS]])
    values = measure(Chem.MolFromSmiles(ASPIRIN), tiny.measured)
    conditions = torch.from_numpy(tiny.normalizer.normalize(values[None]))
    hashed = molecule_hash([canonicalize(ASPIRIN)]).tolist()
    noise = noise_of(hashed, codes=1, size=checkpoint.model.config.latent_size)[0]
    with torch.inference_mode():
        posterior = checkpoint.model.encode(ids, torch.tensor([ids.shape[1]]))
        z = posterior.sample(noise)
        cost = reconstruction_loss(checkpoint.model.decode(z, conditions, ids), ids)
        read = checkpoint.model.predict_properties(posterior.mean)
    spread = torch.exp(0.5 * posterior.log_var)
    prior = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum()
    code = torch.distributions.Normal(posterior.mean, spread).log_prob(z).sum()
    assert found.elbo == pytest.approx(float(prior - code - cost), rel=1e-4)
    assert found.nll_per_symbol == pytest.approx(-(found.elbo or 0) / (len(symbols) + 1))
    assert found.reconstruction == pytest.approx(float(cost), rel=1e-4)
    assert found.kl == pytest.approx(float(posterior.kl().sum()), rel=1e-4)
    misread = float((read - conditions).square().mean().sqrt())
    assert found.misreading == pytest.approx(misread, rel=1e-4)


def test_more_codes_tighten_the_bound_and_leave_the_percentile(tiny: MoleculeGenerator) -> None:
    many = [smiles for _, smiles in DRUGS[:60]]
    few, more = tiny.score(many, codes=1), tiny.score(many, codes=32)
    gains = [b.elbo - a.elbo for a, b in zip(few, more, strict=True) if a.elbo and b.elbo]
    assert len(gains) > 50
    assert np.mean(gains) > 0.1
    for one, other in zip(few, more, strict=True):
        assert (one.percentile, one.ood) == (other.percentile, other.ood)


def test_an_untrained_model_finds_molecules_less_likely(
    tiny: MoleculeGenerator, tiny_model_file: Path
) -> None:
    untrained = Checkpoint.load(tiny_model_file)
    chance = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in untrained.model.parameters():
            weight.normal_(0.0, 0.1, generator=chance)
    many = [smiles for _, smiles in DRUGS[:60]]
    pairs = zip(tiny.score(many), MoleculeGenerator(untrained).score(many), strict=True)
    worse = [a.elbo > b.elbo for a, b in pairs if a.elbo and b.elbo]
    assert len(worse) > 50
    assert np.mean(worse) > 0.9


def test_what_has_unknown_symbols_has_a_reason_and_no_figures(tiny: MoleculeGenerator) -> None:
    bromide, aspirin = tiny.score(["Brc1ccccc1", ASPIRIN])
    assert bromide[:6] == (None,) * 6
    assert bromide.ood.startswith("symbol unknown to the model: [Br]")
    assert aspirin.elbo is not None
    assert tiny.score(["Brc1ccccc1"]) == [bromide]


def test_a_model_that_does_not_say_marks_only_what_is_certain(tiny_model_file: Path) -> None:
    checkpoint = Checkpoint.load(tiny_model_file)
    del checkpoint.provenance["typicality"]
    assert typicality_of(LoadedModel(checkpoint)) is None
    aspirin, chain = MoleculeGenerator(checkpoint).score([ASPIRIN, "C" * 149])
    assert (aspirin.percentile, aspirin.ood) == (None, "")
    assert aspirin.elbo is not None
    assert " symbols, the model knows up to " in chain.ood


def test_too_few_held_out_molecules_mark_nothing(tiny: MoleculeGenerator) -> None:
    typicality = typicality_of(tiny.model)
    assert typicality is not None
    assert typicality.molecules < MIN_MOLECULES
    scores = tiny.score([smiles for _, smiles in DRUGS])
    assert max(score.percentile or 0 for score in scores) > 99
    assert not any("is usual" in score.ood for score in scores)


@pytest.mark.parametrize(
    "change",
    [
        {"mean": [1.0, 2.0]},
        {"mean": ["a", "b", "c"]},
        {"mean": [1e300, 1.0, 1.0]},
        {"covariance": [[1e-300, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]},
        {"covariance": [[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 1.0]]},
        {"quantiles": [3.0, 2.0, *[4.0] * 99]},
        {"quantiles": [float("nan")] * 101},
        {"codes": 10**9},
        {"codes": True},
        {"molecules": 0},
        {"figures": ["nll"]},
        {"given": ["NoSuch"]},
        {"given": 3},
    ],
)
def test_a_header_that_cannot_be_is_refused(
    tiny_model_file: Path, change: dict[str, object]
) -> None:
    checkpoint = Checkpoint.load(tiny_model_file)
    checkpoint.provenance["typicality"] |= change
    with pytest.raises(ArtifactError, match="the model is damaged: its typicality"):
        MoleculeGenerator(checkpoint).score([ASPIRIN])


def test_a_header_that_is_no_table_is_refused(tiny_model_file: Path) -> None:
    checkpoint = Checkpoint.load(tiny_model_file)
    for other in ([], "x", 5, {}):
        checkpoint.provenance["typicality"] = other
        with pytest.raises(ArtifactError, match="the model is damaged: its typicality"):
            MoleculeGenerator(checkpoint).score([ASPIRIN])


def test_what_is_no_molecule_is_refused(tiny: MoleculeGenerator) -> None:
    with pytest.raises(Rejected, match="not a molecule"):
        tiny.score([ASPIRIN, "C1CC"])
    with pytest.raises(UsageError, match=r"score\('CCO'\): give a list of SMILES"):
        tiny.score("CCO")
    with pytest.raises(UsageError, match="codes = 0: out of range, 1 to 1,024"):
        tiny.score([ASPIRIN], codes=0)
