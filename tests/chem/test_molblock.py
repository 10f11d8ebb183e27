import pytest
from rdkit import Chem

from molvae.chem.molblock import MAX_BLOCK, smiles_from_block
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


@pytest.mark.parametrize("smiles", HARD)
def test_a_molecule_survives_being_drawn_in_either_version(smiles: str) -> None:
    block = draw(smiles)
    assert canonicalize(smiles_from_block(block)) == canonicalize(smiles)
    version_3000 = Chem.MolToV3KMolBlock(Chem.MolFromMolBlock(block))
    assert canonicalize(smiles_from_block(version_3000)) == canonicalize(smiles)


def test_every_drug_survives_being_drawn() -> None:
    for name, smiles in DRUGS:
        assert canonicalize(smiles_from_block(draw(smiles))) == canonicalize(smiles), name


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_any_line_ends_will_do(end: str) -> None:
    assert smiles_from_block(ALANINE.replace("\n", end)) == "C[C@H](N)C(=O)O"


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
        (changed(" C   0", " Ph  0"), "not a molecule: 'Ph' is no element"),
    ],
)
def test_a_damaged_block_is_refused_with_its_cause(block: str, reason: str) -> None:
    with pytest.raises(Rejected, match=reason):
        smiles_from_block(block)


QUERY = "unknown atom: atom 1 stands for several"
LABEL = "unknown atom: atom 1 is an abbreviation or an R group"
POLYMER = "not a molecule: .*polymer"
# Property lines of V2000 about the first atom, a methyl carbon; "" where they change nothing.
LINES = {
    "A    1\nBoc": LABEL,
    "A    1\nR1": LABEL,
    "A    1\nH3C": "",
    "A    1\nMe": "",
    "V    1 measured": "",
    "G    1  2\nBoc": "unknown atom: an abbreviation of atoms",
    "M  APO  1   1   1": "unknown atom: atom 1 is an attachment point",
    "M  RGP  1   1   1": QUERY,
    "M  LOG  1   1   0   0   >0": "",
    "M  ALS   1  2 F C   N   ": QUERY,
    "M  SUB  1   1   3": QUERY,
    "M  RBC  1   1   2": QUERY,
    "M  UNS  1   1   1": QUERY,
    "M  LIN  1   1   4   2   2": "not a molecule: an atom that repeats, a link node",
    "M  $3D  1": "",
    "S  SKP  1\nM  RGP  1   1   1": "",
}
SGROUPS = {  # types of groups of the first atom
    **dict.fromkeys(("SRU", "MON", "MER", "COP", "CRO", "MOD", "GRA", "ANY"), POLYMER),
    **dict.fromkeys(("COM", "MIX", "FOR", "DAT", "GEN"), ""),
}
GROUP = "M  STY  1   1 {}\nM  SAL   1  1   1\nM  SBL   1  1   1\n"
LINES |= {GROUP.format(kind) + "M  SMT   1 n": reason for kind, reason in SGROUPS.items()}
LINES |= {
    GROUP.format("SUP") + "M  SMT   1 Me": "",
    GROUP.format("SUP") + "M  SMT   1 Boc": LABEL,  # atoms that are not there
    GROUP.format("MUL") + "M  SPA   1  1   1\nM  SMT   1 1": "",
    GROUP.format("MUL") + "M  SPA   1  1   1\nM  SMT   1 5": "repeated 5 times, not written out",
}


def check(block: str, reason: str) -> None:
    """Check that a block is refused with this reason, or read as alanine when there is none."""
    if not reason:
        assert smiles_from_block(block, stereo=True) == "C[C@H](N)C(=O)O"
        return
    with pytest.raises(Rejected, match=reason):
        smiles_from_block(block)


@pytest.mark.parametrize("line", LINES)
def test_a_property_line_that_changes_the_molecule_is_refused_by_name(line: str) -> None:
    check(changed("M  END", f"{line}\nM  END"), LINES[line])


@pytest.mark.parametrize("symbol", ["A", "Q", "X", "M", "*"])
def test_an_atom_that_stands_for_several_is_refused(symbol: str) -> None:
    check(changed(" C   0", f" {symbol:3} 0"), QUERY)


@pytest.mark.parametrize("kind", range(5, 9))
def test_a_bond_that_stands_for_several_is_refused(kind: int) -> None:
    check(
        changed("  4  5  2", f"  4  5  {kind}"), "unsupported bond: a bond that stands for several"
    )


VERSION_3000 = Chem.MolToV3KMolBlock(Chem.MolFromMolBlock(ALANINE))
ATOM = next(line for line in VERSION_3000.splitlines() if line.startswith("M  V30 1 C "))
BOND = "M  V30 2 1 2 3"
END_OF_BONDS = "M  V30 END BOND\n"
PARTS = {  # of V3000: what is replaced, what is added to it, and the reason
    "ATTCHPT": (ATOM, " ATTCHPT=1", "unknown atom: atom 1 is an attachment point"),
    "RGROUPS": (ATOM, " RGROUPS=(1 1)", QUERY),
    "UNSAT": (ATOM, " UNSAT=1", QUERY),
    "EXACHG": (ATOM, " EXACHG=1", ""),
    "ENDPTS": (BOND, " ENDPTS=(2 3 4) ATTACH=ANY", "unsupported bond: .*one of several atoms"),
    "TOPO": (BOND, " TOPO=1", "unsupported bond"),
    "LINKNODE": (END_OF_BONDS, "M  V30 LINKNODE 1 4 2 2 1 2 3\n", "a link node"),
    "STEABS": (END_OF_BONDS, "M  V30 MDLV30/STEABS ATOMS=(1 2)\n", ""),
    "STERAC": (END_OF_BONDS, "M  V30 MDLV30/STERAC1 ATOMS=(1 2)\n", "a mixture of stereoisomers"),
    "STEREL": (END_OF_BONDS, "M  V30 MDLV30/STEREL1 ATOMS=(1 2)\n", "a mixture of stereoisomers"),
    "HILITE": (END_OF_BONDS, "M  V30 MDLV30/HILITE ATOMS=(1 2)\n", ""),
}


@pytest.mark.parametrize("part", PARTS)
def test_a_part_of_version_3000_that_changes_the_molecule_is_refused_by_name(part: str) -> None:
    old, more, reason = PARTS[part]
    if "MDLV30" in more:
        more = f"M  V30 BEGIN COLLECTION\n{more}M  V30 END COLLECTION\n"
    block = VERSION_3000.replace(old, old + more, 1)
    if "stereoisomers" in reason:  # a model without stereo can read them
        assert smiles_from_block(block, stereo=False) == "C[C@H](N)C(=O)O"
        with pytest.raises(Rejected, match=reason):
            smiles_from_block(block, stereo=True)
    else:
        check(block, reason)


def test_numbers_out_of_range_are_left_to_the_check_of_the_smiles() -> None:
    text = smiles_from_block(changed("M  END", "M  CHG  1   1  99\nM  END"))
    with pytest.raises(Rejected, match="number out of range"):
        canonicalize(text)


def test_a_polymer_that_is_spelled_out_is_too_large() -> None:
    atoms = "".join(f"M  V30 {n} C {n} 0 0 0\n" for n in range(1, 1201))
    bonds = "".join(f"M  V30 {n} 1 {n} {n + 1}\n" for n in range(1, 1200))
    chain = V3000.format(atoms=atoms, bonds=bonds)
    with pytest.raises(Rejected, match="too many heavy atoms: 1200, at most 1000"):
        smiles_from_block(chain)


@pytest.mark.parametrize("text", ["", "no molecule", "C1CC", "CCO\nCCN", "C" * 600])
def test_what_cannot_be_drawn_is_a_block_without_atoms(text: str) -> None:
    block = draw(text)
    assert smiles_from_block(block) == ""
    assert Chem.MolFromMolBlock(block).GetNumAtoms() == 0
