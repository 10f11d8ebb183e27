import pytest
from rdkit import Chem

from molvae.chem.molblock import MAX_BLOCK, as_smiles
from molvae.chem.smiles import canonicalize
from molvae.data.tables.sdf import draw
from molvae.errors import Rejected
from tests.drugs import DRUGS

ALANINE = draw("C[C@H](N)C(=O)O")
# What a flat drawing can lose: charge, isotopes, radicals, stereo, bridges, open ends.
HARD = (
    "[13CH3]C(=O)[O-].[Na+] [2H]C([2H])([2H])O C[N+](C)(C)CC[S-] [CH2]C C/C=C/C=C\\C CC=CC "
    "CC(O)C=NO C[C@H]1CC[C@@H](O)CC1 OC[C@H]1O[C@@H](O)[C@H](O)[C@@H](O)[C@@H]1O "
    "[O-][n+]1ccccc1 O=[N+]([O-])c1ccccc1 C1CC2CCC1C2 O=C(NN=C/C=C/c1ccccc1)c1ccncc1 [235U]"
).split()


V3000 = (
    "\n\n\n  0  0  0     0  0            999 V3000\nM  V30 BEGIN CTAB\n"
    "M  V30 COUNTS 1200 1199 0 0 0\nM  V30 BEGIN ATOM\n{atoms}M  V30 END ATOM\n"
    "M  V30 BEGIN BOND\n{bonds}M  V30 END BOND\nM  V30 END CTAB\nM  END\n"
)


def test_what_is_no_block_stays_as_it_is() -> None:
    for text in ("CCO", "", "CCO\nCCN", "\ud800"):
        assert as_smiles(text) == text


@pytest.mark.parametrize("smiles", HARD)
def test_a_molecule_survives_being_drawn_in_either_version(smiles: str) -> None:
    block = draw(smiles)
    assert canonicalize(as_smiles(block)) == canonicalize(smiles)
    version_3000 = Chem.MolToV3KMolBlock(Chem.MolFromMolBlock(block))
    assert canonicalize(as_smiles(version_3000)) == canonicalize(smiles)


def test_every_drug_survives_being_drawn() -> None:
    for name, smiles in DRUGS:
        assert canonicalize(as_smiles(draw(smiles))) == canonicalize(smiles), name


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_any_line_ends_will_do(end: str) -> None:
    assert as_smiles(ALANINE.replace("\n", end)) == "C[C@H](N)C(=O)O"


def changed(old: str, new: str) -> str:
    assert old in ALANINE
    return ALANINE.replace(old, new, 1)


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (changed("  6  5", "  7  5"), "not a molecule: .*fewer lines than it announces"),
        (changed("  6  5", " 66  5"), "not a molecule: .*fewer lines than it announces"),
        (changed("  6  5", "six  5"), "not a molecule: its counts line, the fourth, is 'six"),
        (changed("\n  6  5", "  6  5"), "not a molecule: its counts line"),
        ("M  END", "not a molecule: its counts line, the fourth, is ''"),
        (changed("  4  5  2", "  4  5  3"), "not a molecule: Explicit valence for atom # 3 C"),
        (changed(" C   0", " Xx  0"), "not a molecule"),
        (changed("M  END", "M  CHG  1   9   1\nM  END"), "not a molecule"),
        (ALANINE + ALANINE, "more than one record"),
        ("x" * MAX_BLOCK + "M  END", "too long"),
        (  # valences that RDKit cannot count
            draw("CCCl").replace(" Cl  0  0  0  0", " Cl  0  0  0  2147483648"),
            "not a molecule: the mol block does not follow its format",
        ),
        # RDKit reads each of these, and most of them as another molecule without a word.
        (changed("M  END", "A    1\nBoc\nM  END"), "unknown atom: .*abbreviation: 'Boc'"),
        (changed("M  END", "M  SUB  1   1   3\nM  END"), "unknown atom: .* as in a query"),
        (
            changed(" C   0", " L   0").replace("M  END", "M  ALS   1  1 F N   \nM  END"),
            "unknown atom: .* as in a query",
        ),
        (changed("  4  5  2", "  4  5  5"), "unsupported bond"),
        (
            changed(
                "M  END",
                "M  STY  1   1 SRU\nM  SAL   1  2   1   2\nM  SBL   1  1   2\nM  SMT   1 n\nM  END",
            ),
            "not a molecule: .*polymer",
        ),
    ],
)
def test_what_is_damaged_or_smiles_cannot_say_is_refused(block: str, reason: str) -> None:
    with pytest.raises(Rejected, match=reason):
        as_smiles(block)


def test_a_label_that_says_what_the_atom_is_does_no_harm() -> None:
    assert as_smiles(changed("M  END", "A    1\nH3C\nM  END")) == "C[C@H](N)C(=O)O"


def test_numbers_out_of_range_are_left_to_the_check_of_the_smiles() -> None:
    text = as_smiles(changed("M  END", "M  CHG  1   1  99\nM  END"))
    with pytest.raises(Rejected, match="number out of range"):
        canonicalize(text)


def test_a_polymer_that_is_spelled_out_is_too_large() -> None:
    atoms = "".join(f"M  V30 {n} C {n} 0 0 0\n" for n in range(1, 1201))
    bonds = "".join(f"M  V30 {n} 1 {n} {n + 1}\n" for n in range(1, 1200))
    chain = V3000.format(atoms=atoms, bonds=bonds)
    with pytest.raises(Rejected, match="too many heavy atoms: 1200, at most 1000"):
        as_smiles(chain)


@pytest.mark.parametrize("text", ["", "no molecule", "C1CC", "CCO\nCCN", "C" * 600])
def test_what_cannot_be_drawn_is_a_block_without_atoms(text: str) -> None:
    block = draw(text)
    assert as_smiles(block) == ""
    assert Chem.MolFromMolBlock(block).GetNumAtoms() == 0
