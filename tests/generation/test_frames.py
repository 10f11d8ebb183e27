from rdkit import Chem
from tests.test_generated import molecule

from molvae.generation.frames import to_frame


def test_molecules_become_a_table_with_a_column_of_structures() -> None:
    frame = to_frame([molecule(), molecule(2, smiles="CCO", novel=False)])
    assert list(frame.columns)[:3] == ["ID", "SMILES", "MW"]
    assert frame.columns[-1] == "mol"
    assert [Chem.MolToSmiles(mol) for mol in frame["mol"]] == list(frame["SMILES"])
    assert frame["novel"].tolist() == [True, False]
    assert frame["novel"].dtype == bool
    assert frame["MW"].mean() == 180.16


def test_points_are_numbers_and_ranges_are_text() -> None:
    frame = to_frame(
        [
            molecule(targets={"LogP": (2.5, 2.5), "MW": (200.0, 400.0)}),
            molecule(2, targets={"LogP": (3.0, 3.0), "MW": (300.0, 300.0)}),
        ]
    )
    assert frame["target_LogP"].tolist() == [2.5, 3.0]
    assert frame["target_MW"].tolist() == ["200..400", "300"]


def test_molecules_that_were_asked_for_different_things_share_a_table() -> None:
    frame = to_frame([molecule(), molecule(2, targets={"LogP": (2.5, 2.5)})])
    assert frame["target_LogP"].isna().tolist() == [True, False]
    assert frame["target_LogP"][1] == 2.5


def test_no_molecules_are_an_empty_table() -> None:
    frame = to_frame([])
    assert list(frame.columns) == ["ID", "SMILES", "mol"]
    assert len(frame) == 0


def test_classes_are_text_also_where_they_are_numbers() -> None:
    read = {"0": 0.25, "1": 0.75}
    asked = [{"assay": "1", "LogP": (2.0, 2.0)}, {"assay": "0|1"}, {}]
    frame = to_frame(
        [
            molecule(number, predicted={"assay": read}, targets=targets)
            for number, targets in enumerate(asked, 1)
        ]
    )
    assert frame["target_assay"].tolist()[:2] == ["1", "0|1"]
    assert frame["target_assay"].isna().tolist() == [False, False, True]
    assert frame["predicted_assay"].tolist() == ["1"] * 3
    assert frame["target_LogP"].dtype == float
