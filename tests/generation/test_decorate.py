"""Molecules that keep a core: with it, grown at its marks only, and the same again."""

from dataclasses import replace

import numpy as np
import pytest
from rdkit import Chem

from molvae.chem.cores import Core
from molvae.chem.similarity import murcko_scaffold
from molvae.config import GenerateConfig
from molvae.errors import UsageError
from molvae.generation.link import likelihoods
from molvae.generation.openings import (
    core_or_pattern,
    left_out,
    not_single,
    openings,
    read_core,
    unusual_size,
)
from molvae.generation.results import Generated, Generation
from molvae.generation.search import Search
from molvae.generator import MoleculeGenerator
from tests.drugs import DRUGS

QUINAZOLINE = "[*:1]c1ccc2ncnc([*:2])c2c1"
RAW = GenerateConfig(tier="raw", max_tries=1)


@pytest.fixture(scope="module")
def moses() -> MoleculeGenerator:
    return MoleculeGenerator.load("moses")


@pytest.fixture(scope="module")
def quinazolines(moses: MoleculeGenerator) -> Generation[Generated]:
    return moses.decorate(QUINAZOLINE, 12, {"LogP": (2, 3)}, seed=1)


def test_every_molecule_has_the_core_with_one_new_part_at_each_mark(
    quinazolines: Generation[Generated],
) -> None:
    assert len(quinazolines) == 12
    query = Chem.MolFromSmarts("*-c1ccc2ncnc(-*)c2c1")
    for molecule in quinazolines:
        mol = Chem.MolFromSmiles(molecule.smiles)
        assert mol.HasSubstructMatch(query)
        kept = molecule.decoration
        assert kept is not None
        assert kept.core == QUINAZOLINE
        assert kept.smiles == ".".join(sorted(kept.parts.values()))
        assert list(kept.parts) == [1, 2]
        new = sum(Chem.MolFromSmiles(part).GetNumHeavyAtoms() for part in kept.parts.values())
        assert mol.GetNumAtoms() == 10 + new
        assert 0 < kept.nll < molecule.nll


def test_same_seed_writes_the_same_molecules_in_whatever_batch(
    moses: MoleculeGenerator, quinazolines: Generation[Generated]
) -> None:
    again = moses.decorate(QUINAZOLINE, 12, {"LogP": (2, 3)}, seed=1, batch_size=1)
    assert list(again) == list(quinazolines)


def test_what_happened_to_every_string_is_counted(quinazolines: Generation[Generated]) -> None:
    summary = quinazolines.summary
    assert summary.draws == summary.found + sum(summary.refusals.values())
    assert summary.draws > summary.found


def test_row_has_the_core_the_new_parts_and_their_likelihood(
    quinazolines: Generation[Generated],
) -> None:
    row = quinazolines[0].row()
    assert list(row)[:6] == ["ID", "SMILES", "core", "decoration", "R1", "R2"]
    assert list(row)[-2:] == ["nll", "decoration_nll"]


def test_core_has_its_stereo_marks_and_charges_again(moses: MoleculeGenerator) -> None:
    core = "[*:1]C(=O)[C@@H]1CCC[NH2+]1"
    assert left_out(Core(core, moses.standardization)) == "stereo marks and charges"
    query = Chem.MolFromSmarts("*-C(=O)[C@@H]1CCC[NH2+]1")
    for molecule in moses.decorate(core, 4, seed=2):
        mol = Chem.MolFromSmiles(molecule.smiles)
        assert mol.HasSubstructMatch(query, useChirality=True)


def test_unmarked_core_grows_at_several_atoms_and_never_stays_bare(
    moses: MoleculeGenerator,
) -> None:
    core = "c1cnc2[nH]ccc2c1"
    found = moses.decorate(core, 24, config=GenerateConfig(unique=False), seed=3)
    query = Chem.MolFromSmiles(core)
    places = set()
    for molecule in found:
        assert Chem.MolFromSmiles(molecule.smiles).HasSubstructMatch(query)
        assert molecule.smiles != Chem.CanonSmiles(core)
        assert molecule.decoration is not None
        places.add(molecule.decoration.smiles.split("]")[0])
    assert len(places) >= 3


def test_each_open_atom_gets_the_same_share(moses: MoleculeGenerator) -> None:
    benzyl = Core("O=C(Cc1ccccc1)N(C)C", moses.standardization)  # ortho, meta: two atoms each
    (spellings,) = openings(moses.model, benzyl)
    shares = np.diff(spellings.edges, prepend=0.0)
    atoms = np.array(spellings.atoms)
    by_atom = [round(float(shares[atoms == atom].sum()) * 8, 6) for atom in sorted(set(atoms))]
    assert sorted(by_atom) == [1.0, 1.0, 2.0, 2.0, 2.0]


def test_several_cores_get_as_many_molecules_each(moses: MoleculeGenerator) -> None:
    cores = ["[*:1]c1ccncc1", "[*:1]N1CCOCC1", "[*:1]C1CC1"]
    found = moses.decorate(cores, 3, seed=4)
    assert [each.decoration.core for each in found if each.decoration] == [
        core for core in cores for _ in range(3)
    ]


def test_anywhere_lets_other_atoms_grow(moses: MoleculeGenerator) -> None:
    config = replace(RAW, unique=False)
    strict = moses.decorate("[*:1]CCN", 32, config=config, seed=5).summary
    free = moses.decorate("[*:1]CCN", 32, config=config, seed=5, anywhere=True).summary
    assert free.found > strict.found
    assert "core grown elsewhere" not in free.refusals


def test_linkers_join_both_fragments_and_the_likeliest_comes_first(
    moses: MoleculeGenerator,
) -> None:
    found = moses.link("[*:1]c1ccc(F)cc1", "[*:2]N1CCOCC1", 8, seed=1)
    query = Chem.MolFromSmiles("c1ccc(F)cc1.N1CCOCC1")
    costs = likelihoods(moses.model, [molecule.smiles for molecule in found])
    assert costs == sorted(costs)
    assert len({molecule.smiles for molecule in found}) == 8
    for molecule in found:
        assert Chem.MolFromSmiles(molecule.smiles).HasSubstructMatch(query)
        linker = Chem.MolFromSmiles(molecule.decoration.smiles)  # type: ignore[union-attr]
        assert {a.GetAtomMapNum() for a in linker.GetAtoms() if not a.GetAtomicNum()} == {1, 2}


@pytest.mark.parametrize(
    ("core", "words"),
    [
        ("c1ccccc1(", "a branch is opened at character 9"),
        ("FC(F)(F)F", "no atom is free to grow"),
        ("c1ccccc1.C1CC1", "several fragments: 2, where one is meant.*molvae link"),
        ("[*:1]n1ccccc1", "a marked atom may have none"),
        ("C=[*:1]", "mark in the wrong place: atom 2"),
        ("C[Si](C)(C)C", r"symbol unknown to the model: \[Si\].*knows the elements Br, C"),
        ("C" * 60, "too large for the model: the core takes 60 symbols.*cut off"),
        ("benzene", "not a molecule|not SMILES"),
    ],
)
def test_bad_core_is_refused_before_any_drawing(
    moses: MoleculeGenerator, core: str, words: str
) -> None:
    with pytest.raises(UsageError, match=f"(?s){words}"):
        moses.decorate(core, 1)


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        ("c1ccccc1", "[*:1]C", "0 marks, where one is meant"),
        ("[*:1]c1ccc([*:2])cc1", "[*:1]C", "2 marks, where one is meant"),
        ("[*:1]C.C", "[*:1]C", "several fragments"),
    ],
)
def test_fragments_need_one_mark_each(
    moses: MoleculeGenerator, first: str, last: str, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        moses.link(first, last, 1)


def test_smiles_are_cores_and_other_patterns_are_smarts(moses: MoleculeGenerator) -> None:
    assert isinstance(core_or_pattern(moses.model, "c1ccncc1"), Core)
    for pattern in ("[c,n]1ccccc1", "[#6]-[#7](-[#6])-[#6]"):
        assert core_or_pattern(moses.model, pattern) == pattern
    for text, words in (("c1ccccc1(", "not a molecule"), ("[*:1]n1ccccc1", "marked atom")):
        with pytest.raises(UsageError, match=words):
            core_or_pattern(moses.model, text)


def test_core_that_leaves_little_room_is_named(moses: MoleculeGenerator) -> None:
    large = Core("O=C(c1cc[nH]c1)N1CCN(c2ccc(C(=O)NC3CC3)cc2)CC1", moses.standardization)
    assert unusual_size(moses.model, large).startswith("its molecular weight is 338")
    assert unusual_size(moses.model, Core("c1ccncc1", moses.standardization)) == ""


@pytest.fixture(scope="module")
def marked_scaffolds() -> list[str]:
    """Some marks on the scaffolds of at most 20 heavy atoms of every twelfth drug."""
    found = []
    for scaffold in sorted({murcko_scaffold(Chem.MolFromSmiles(s)) for _, s in DRUGS[::12]}):
        mol = Chem.MolFromSmiles(scaffold)
        if 0 < mol.GetNumHeavyAtoms() <= 20:
            free = [atom.GetIdx() for atom in mol.GetAtoms() if atom.GetTotalNumHs()]
            found += [marked(mol, atom) for atom in free[::8]]
    return [*found, "O=[PH]1NCCC([*:1])O1"]  # cyclophosphamide's, which no molecule of MOSES has


def test_most_marks_on_scaffolds_of_drugs_give_molecules_with_the_core(
    moses: MoleculeGenerator, marked_scaffolds: list[str]
) -> None:
    cores, refused = [], []
    for text in marked_scaffolds:
        try:
            cores.append(read_core(moses.model, text))
        except UsageError as error:
            refused.append(str(error))
    found = moses.decorate(cores, 1, config=GenerateConfig(unique=False, max_tries=8), seed=1)
    for molecule in found:
        assert molecule.decoration is not None
        kept = Chem.MolFromSmarts(molecule.decoration.core)  # [*:1] is any atom
        assert Chem.MolFromSmiles(molecule.smiles).HasSubstructMatch(kept, useChirality=True)
    assert len(found) >= 0.8 * len(marked_scaffolds) > 16
    assert len(found) + len(refused) >= 0.9 * len(marked_scaffolds)
    assert refused
    assert all("symbol unknown to the model: [PH1]" in words for words in refused)


def marked(bare: Chem.Mol, atom: int) -> str:
    """Return a molecule with a mark at an atom, in place of a hydrogen."""
    mol = Chem.RWMol(Chem.AddHs(bare, onlyOnAtoms=[atom]))
    hydrogen = next(a for a in mol.GetAtomWithIdx(atom).GetNeighbors() if a.GetAtomicNum() == 1)
    hydrogen.SetAtomicNum(0)
    hydrogen.SetAtomMapNum(1)
    return str(Chem.MolToSmiles(Chem.RemoveHs(mol), canonical=False))


def test_symbols_that_cannot_begin_one_new_part_are_known() -> None:
    symbols = ["[C]", "[=O]", "[Branch1]", "[#Branch2]", "[Ring1]", "[=Ring1]", "[NH1]", "[Cl]"]
    assert set(symbols) - set(not_single(symbols)) == {"[C]", "[NH1]", "[Cl]"}


LIDOCAINE = "CCN(CC)CC(=O)Nc1c(C)cccc1C"
ANILIDE = "CC(=O)Nc1c(C)cccc1C"


def test_neighbors_and_variants_keep_a_core_where_the_molecule_has_other_parts(
    moses: MoleculeGenerator,
) -> None:
    config = GenerateConfig(shortlist=1)
    near = moses.neighbors(LIDOCAINE, 2, keep=ANILIDE, tries=8, config=config, seed=1)
    more = moses.augment([LIDOCAINE], 1, keep=ANILIDE, tries=8, config=config, seed=2)
    query = Chem.MolFromSmarts("*-CC(=O)Nc1c(C)cccc1C")
    for each in (*near, *more):
        assert each.molecule.decoration is not None
        assert each.molecule.decoration.parts.keys() == {1}
        assert Chem.MolFromSmiles(each.molecule.smiles).HasSubstructMatch(query)


def test_series_keeps_a_core_or_has_no_molecule(moses: MoleculeGenerator) -> None:
    search = Search(tries=4, seed=1)
    (step,) = moses.sweep(LIDOCAINE, "LogP", [2.0], search=search, keep=ANILIDE)
    (again,) = moses.sweep(LIDOCAINE, "LogP", [2.0], search=search, keep=ANILIDE)
    assert step == again
    smiles = step.molecule.smiles
    assert smiles == "" or Chem.MolFromSmiles(smiles).HasSubstructMatch(Chem.MolFromSmiles(ANILIDE))
