import pytest

from molvae.chem.smiles import Standardization, canonicalize, standardize
from molvae.data.tables.columns import is_molecule
from molvae.errors import Rejected

READ = {  # CXSMILES whose extension changes nothing but stereo, and its molecule with stereo
    "CCO ||": "CCO",
    "CCO |(1,0,;0,0,;0,1,)|": "CCO",
    "CCO\t|(1,0,;0,0,;0,1,)|": "CCO",
    "OCC |$O1;C2;$|": "CCO",
    "CCO |$_AV:polar;;$,atomProp:0.charge.-0\\.1|": "CCO",
    "CCO |SgD:0:pKa:9.1:::|": "CCO",
    "CC.O |f:0.1|": "CC.O",
    "CCO |lp:2:2|": "CCO",
    "C[CH2] |^1:1|": "[CH2]C",  # its SMILES has the radical, too
    "C[C@H](N)O |a:1|": "C[C@H](N)O",
    "CC=CC |c:1|": "C/C=C\\C",
    "CC=CC |t:1|": "C/C=C/C",
    "CC=CC |ctu:1|": "CC=CC",
    "CC(F)Cl |(1,0,;0,0,;0,1,;-1,0,),wU:1.0|": "C[C@H](F)Cl",
}
REFUSED = {
    "C1CCCCC1 |Sg:n:0,1,2,3,4,5:n:ht|": "not a molecule: repeating units in brackets: a polymer",
    "CC |^1:1|": r"unsupported extension: \|\^1:1\| makes CC into \[CH2\]C",
    "NC |C:0.0|": "unsupported extension: .* makes CN into C<-N",
    "C.Oc1ccccc1 |m:0:2.3.4|": "unsupported extension: a bond to one of several atoms: m in",
    "CCO |LN:1:1.3|": "not a molecule: an atom that repeats, a link node",
    "CCO |u:1|": "unknown atom: atom 2 stands for several, as in a query",
    "CCO |rb:1:*|": "unknown atom: atom 2 stands for several, as in a query",
    "C1CC1 |$R1;;$|": "unknown atom: atom 1 is an abbreviation or an R group: 'R1'",
    "CC |$Boc;$|": "unknown atom: atom 1 is an abbreviation or an R group: 'Boc'",
    "*CC |$_AP1;;$|": "unknown atom: atom 1 is an abbreviation or an R group: '_AP1'",
    "*CC |$Q_e;;$|": "unknown atom: atom 1 stands for several",
    "*CC |RG:_R1={C*}|": "unsupported extension: the members of an R group: RG in",
    "CCO |new:1|": "unsupported extension: a layer that is not known here: new in",
    "CCO |^9:1|": "unsupported extension: RDKit does not read",
    "CCO |c:1": "more than one record",  # cut off
    "CCO |c:1| ethanol": "more than one record: text behind the extension",
    "CCO|c:1|": "not SMILES characters",
    "C1CC |c:1|": "not a molecule: ring 1 is opened",
    f"CCO |{'c:1,' * 20_000}|": "too long: an extension",
}
ENHANCED = ["C[C@H](N)O |&1:1|", "C[C@H](N)O |o1:1|", "C[C@H](N)O |r|"]


@pytest.mark.parametrize("text", READ)
def test_an_extension_that_changes_nothing_is_read(text: str) -> None:
    assert canonicalize(text) == READ[text]
    assert canonicalize(text, stereo=False) == canonicalize(READ[text], stereo=False)
    assert standardize(text)[0] == standardize(READ[text])[0]
    assert is_molecule(text)


@pytest.mark.parametrize("text", REFUSED)
def test_an_extension_that_changes_the_molecule_is_refused_by_name(text: str) -> None:
    for read in (standardize, canonicalize):
        with pytest.raises(Rejected, match=REFUSED[text]):
            read(text)
    assert not is_molecule(text)


@pytest.mark.parametrize("text", ENHANCED)
def test_a_mixture_of_stereoisomers_is_read_only_without_stereo(text: str) -> None:
    assert standardize(text)[0] == "CC(N)O"
    with pytest.raises(Rejected, match=r"a mixture of stereoisomers|relative stereo"):
        standardize(text, Standardization(stereo=True))


def test_an_extension_is_no_part_of_what_is_left_out() -> None:
    text = "CCO |(1.5,0,;0,0,;0,1,)|"
    assert Standardization().left_out(text) == []
    assert Standardization().left_out(f"[13CH3]{text}") == ["isotope labels"]
