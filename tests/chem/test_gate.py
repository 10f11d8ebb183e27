import ast
import csv
import gzip
import random
from itertools import islice
from pathlib import Path

import pytest
from rdkit import Chem

from molvae.chem import (
    candidates,
    cxsmiles,
    features,
    gate,
    molblock,
    properties,
    selfies,
    smiles,
    syntax,
    text,
)
from molvae.chem.gate import REASONS, ValidMolecule, validate
from molvae.chem.selfies import decode, decode_canonical, encode_checked
from molvae.chem.smiles import Standardization, standardize
from molvae.errors import Rejected
from molvae.training_index import molecule_hash
from tests.drugs import DRUGS

SHARED = Path(__file__).parents[2] / "../shared/data"
# Strings that end, block or fool a program that hands them to RDKit or selfies as they are.
KILLERS = {
    "a chain of 20,000 atoms": "C" * 20_000,
    "4,000 nested branches": "C" + "(C" * 4000 + ")" * 4000,
    "branches that only open": "C" + "(" * 399,
    "more of them": "(" * 20_000,
    "brackets that only open": "[" * 400,
    "brackets that only close": "]" * 400,
    "an aromatic circle of 4,000 atoms": "c1" + "c" * 3998 + "c1",
    "an aromatic circle of 398 atoms": "c1" + "c" * 396 + "c1",
    "branches nested 132 deep": "C" + "(C" * 132 + ")" * 132,
    "a huge ring number": "C%(99999999999)CC%(99999999999)",
    "every ring number at once": "".join(f"C%{n}" for n in range(10, 100)) * 2,
    "dots": "." * 400,
    "two hundred fragments": "C." * 199 + "C",
    "a dative bond": "[NH3]->[Fe]",
    "a dative bond the other way": "[Fe]<-[NH3]",
    "a quadruple bond": "C$C",
    "a bond of any order": "C~C",
    "a four-digit isotope": "[1000C]",
    "a huge isotope": "[4294967308C]",
    "a huge charge": "[C+4294967297]",
    "a huge atom map": "[CH3:4294967297]",
    "a huge hydrogen count": "[CH4294967300]",
    "an octahedral center": "[Fe@OH30](F)(F)(F)(F)(F)F",
    "a permutation that does not exist": "[Fe@OH99](F)(F)(F)(F)(F)F",
    "an element that does not exist": "[Xx]",
    "place holders": "*" * 400,
    "stereo marks alone": "/" * 400,
    "crossed rings": "".join(f"c%{n}" for n in range(10, 59)) * 2,
}


@pytest.mark.parametrize("killer", KILLERS.values(), ids=KILLERS)
@pytest.mark.parametrize("stereo", [False, True])
def test_a_killer_is_a_molecule_or_a_refusal_with_a_listed_reason(
    killer: str, stereo: bool
) -> None:
    switches = Standardization(stereo=stereo, isotopes=stereo, uncharge=not stereo)
    valid = outcome(killer, switches)
    if isinstance(valid, Rejected):
        assert valid.reason in REASONS
        assert len(str(valid)) < 1000
    else:
        assert decode_canonical(valid.symbols) == valid.smiles


def outcome(string: str, switches: Standardization) -> ValidMolecule | Rejected:
    try:
        return validate(string, switches)
    except Rejected as refusal:
        return refusal


def test_a_three_digit_isotope_is_read_as_it_stands() -> None:
    assert standardize("[999CH4]", Standardization(isotopes=True))[0] == "[999CH4]"
    assert validate("[999CH4]").smiles == "C"


def test_what_passes_has_one_spelling_its_molecule_and_symbols_that_decode_to_it() -> None:
    for _, drug in DRUGS:
        valid = validate(f" {drug}\r\n")
        assert (valid.smiles, Chem.MolToSmiles(valid.mol)) == (standardize(drug)[0],) * 2
        assert valid.symbols == encode_checked(valid.smiles)
        assert decode_canonical(valid.symbols) == valid.smiles


@pytest.mark.parametrize(
    "name", ["zinc/zinc250k.csv", "chembl/chembl_union.csv", "hostile/pubchem100k.smi"]
)
def test_a_molecule_has_one_key_however_it_is_written(name: str) -> None:
    path = SHARED / f"{name}.gz"
    if not path.is_file():
        pytest.skip(f"{name} is not on this machine")
    separator = "," if name.endswith(".csv") else "\t"
    with gzip.open(path, "rt", newline="") as lines:
        rows = [row[0] for row in islice(csv.reader(lines, delimiter=separator), 1, 2000)]
    numbers = random.Random(6)
    for row in numbers.sample(rows, 25):
        valid = outcome(row, Standardization())
        if isinstance(valid, Rejected):
            continue
        spellings = {row, valid.smiles, decode(valid.symbols)}
        for way in range(20):
            mol = Chem.MolFromSmiles(row)
            order = list(range(mol.GetNumAtoms()))
            numbers.shuffle(order)
            mol = Chem.RenumberAtoms(mol, order)
            if way % 2:
                Chem.Kekulize(mol, clearAromaticFlags=True)
            spellings.add(Chem.MolToSmiles(mol, canonical=False, allBondsExplicit=way % 3 == 0))
        found = [standardize(text)[0] for text in spellings if len(text) <= 400]
        assert len(set(molecule_hash(found).tolist())) == len({*found}) == 1
        assert found[0] == valid.smiles


REFUSED = {
    "empty": " ",
    "too long": "C" * 401,
    "not SMILES characters": "\u0421\u0421O",
    "more than one record": "CCO\nCCN",
    "SELFIES, not SMILES": "[C][C][O]",
    "odd bracket atom": "[CC]",
    "number out of range": "[C+10]",
    "unsupported extension": "CC |^1:1|",
    "not a molecule": "CC(",
    "no heavy atom": "[H][H]",
    "too many heavy atoms": "C" * 151,
    "too many rings": "C1CC1" * 61,
    "unknown atom": "*C",
    "unsupported bond": "C~C",
    "cannot be written as SELFIES": "C[Ge](C)(C)C",
}


@pytest.mark.parametrize("reason", REFUSED)
def test_each_reason_has_a_string_that_earns_it(reason: str) -> None:
    refused = outcome(REFUSED[reason], caps_for(reason))
    assert isinstance(refused, Rejected)
    assert refused.reason == reason


def caps_for(reason: str) -> Standardization:
    return Standardization(max_heavy_atoms=150 if reason == "too many heavy atoms" else 400)


def literal_reasons(path: str | None) -> set[str]:
    """The reasons that a file gives: the first argument of `Rejected`, or of a tuple for it."""
    tree = ast.parse(Path(str(path)).read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    firsts = [
        call.args[0]
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id == "Rejected" and call.args
    ]
    returned = [node.value for node in ast.walk(tree) if isinstance(node, ast.Return)]
    firsts += [value.elts[0] for value in returned if isinstance(value, ast.Tuple) and value.elts]
    return {first.value for first in firsts if isinstance(first, ast.Constant) and first.value}


def test_the_list_of_reasons_is_whole() -> None:
    rooms = (
        text,
        syntax,
        cxsmiles,
        features,
        molblock,
        smiles,
        selfies,
        properties,
        candidates,
        gate,
    )
    given = set().union(*(literal_reasons(room.__file__) for room in rooms))
    assert given - {"not SELFIES"} == set(REASONS)  # which is said of symbols, not of a string


@pytest.mark.parametrize(
    ("room", "function", "earlier"),
    [(Chem, "MolFromSmiles", list(REASONS)[:7]), (gate, "encode_checked", list(REFUSED)[:-1])],
    ids=["the text is checked before RDKit sees it", "SELFIES are made of what is standardized"],
)
def test_no_step_sees_what_an_earlier_one_refuses(
    room: object, function: str, earlier: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, function, lambda *_: pytest.fail(f"{function} saw the string"))
    for reason in earlier:
        with pytest.raises(Rejected, match=reason):
            validate(REFUSED[reason], caps_for(reason))
