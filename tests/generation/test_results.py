import json
import math

import pytest
from rdkit import Chem

from molvae.chem.smiles import Standardization
from molvae.data.molecules import PreparedMolecule, standardize_and_measure
from molvae.generation.neighbors import Neighbor, Source, Variant
from molvae.generation.results import (
    Generated,
    Summary,
    columns_of,
    control_errors,
    share,
    to_frame,
)
from molvae.targets import Range, Wanted

INFINITE = math.inf


def molecule(number: int = 1, **more: object) -> Generated:
    made = Generated(
        id=number,
        smiles="CC(=O)Oc1ccccc1C(=O)O",
        properties={"MW": 180.16, "LogP": 1.31},
        predicted={"pIC50": 4.3},
        targets={},
        novel=True,
        ood=False,
        nll=12.5,
    )
    return made._replace(**more)


def asked(value: float, wanted: Range | None, *, name: str = "LogP") -> Generated:
    return molecule(properties={name: value}, targets={} if wanted is None else {name: wanted})


def test_a_row_has_its_columns_in_the_promised_order() -> None:
    row = molecule(targets={"LogP": (2.5, 2.5), "MW": (-INFINITE, 400.0)}).row()
    assert list(row) == [
        "ID",
        "SMILES",
        "MW",
        "LogP",
        "predicted_pIC50",
        "target_LogP",
        "target_MW",
        "novel",
        "ood",
        "nll",
    ]
    assert (row["ID"], row["target_LogP"], row["target_MW"]) == (1, "2.5", "..400")


def test_targets_that_only_later_rows_have_still_stand_beside_the_others() -> None:
    rows = [
        {**molecule().row(), "seed": 1},
        {**molecule(2, targets={"LogP": (1.0, 1.0)}).row(), "seed": 1},
        {**molecule(3, targets={"MW": (300.0, 300.0)}).row(), "seed": 1},
    ]
    expected = ["ID", "SMILES", "MW", "LogP", "predicted_pIC50", "novel", "ood", "nll", "seed"]
    assert columns_of(rows[:1]) == expected
    expected[5:5] = ["target_LogP", "target_MW"]
    assert columns_of(rows) == expected
    assert columns_of(rows[::-1]) == [*expected[:5], "target_MW", "target_LogP", *expected[7:]]


def test_an_empty_table_has_its_first_columns() -> None:
    assert columns_of([]) == ["ID", "SMILES"]


def test_control_of_a_point_by_hand() -> None:
    # Asked 2: errors 0, 0.4, 1.0, 2.0. Half a standard deviation of 1.0 is a hit.
    molecules = [asked(value, (2.0, 2.0)) for value in (2.0, 2.4, 1.0, 4.0)]
    control = control_errors(molecules, {"LogP": 1.0})["LogP"]
    assert control.molecules == 4
    assert control.mae == pytest.approx(0.85)
    assert control.mae_scaled == pytest.approx(0.85)
    assert control.mean == pytest.approx(2.35)
    assert control.hit_rate == 0.5
    assert control_errors(molecules, {"LogP": 2.0})["LogP"].mae_scaled == pytest.approx(0.425)
    assert control_errors(molecules, {"LogP": 2.0})["LogP"].hit_rate == 0.75


def test_control_of_a_range_has_no_error_inside_and_no_tolerance_outside() -> None:
    molecules = [asked(value, (1.0, 3.0)) for value in (0.5, 1.0, 2.0, 3.0, 3.25)]
    control = control_errors(molecules, {"LogP": 1.0})["LogP"]
    assert control.mae == pytest.approx(0.75 / 5)
    assert control.hit_rate == 3 / 5


def test_an_open_range_has_one_end() -> None:
    molecules = [asked(v, (-INFINITE, 400.0), name="MW") for v in (150.0, 400.0, 410.0)]
    control = control_errors(molecules, {"MW": 80.0})["MW"]
    assert control.mae == pytest.approx(10 / 3)
    assert control.hit_rate == 2 / 3


def test_only_molecules_that_were_asked_count() -> None:
    molecules = [asked(2.0, (2.0, 2.0)), asked(9.0, None), asked(300.0, (1.0, 1.0), name="MW")]
    control = control_errors(molecules, {"LogP": 1.0, "MW": 80.0})
    assert {name: found.molecules for name, found in control.items()} == {"LogP": 1, "MW": 1}
    assert control_errors([], {"LogP": 1.0}) == {}


def test_a_label_is_judged_by_its_prediction() -> None:
    control = control_errors([molecule(targets={"pIC50": (5.0, 5.0)})], {"pIC50": 1.0})
    assert control["pIC50"].mean == pytest.approx(4.3)
    assert control["pIC50"].mae == pytest.approx(0.7)


def assayed(reading: dict[str, float], wanted: Wanted) -> Generated:
    return molecule(predicted={"assay": reading}, targets={"assay": wanted})


def test_a_class_label_has_its_likeliest_class_and_the_probability_of_each() -> None:
    row = assayed({"active": 0.6, "inactive": 0.6}, "active|inactive").row()
    assert [(column, cell) for column, cell in row.items() if "assay" in column] == [
        ("predicted_assay", "active"),
        ("P(assay=active)", 0.5),
        ("P(assay=inactive)", 0.5),
        ("target_assay", "active|inactive"),
    ]


def test_a_request_for_a_rare_class_is_judged_by_its_share_of_the_training_set() -> None:
    """It is hardly ever the most likely class: a hit by that rule would be 0 for all of these."""
    chances = (0.01, 0.1, 0.2, 0.3)
    molecules = [assayed({"active": p, "inactive": 1 - p}, "active") for p in chances]
    rates = {"assay": {"active": 0.05, "inactive": 0.95}}
    control = control_errors(molecules, {"assay": 0.5}, rates)["assay"]
    assert (control.mean, control.base_rate) == (pytest.approx(0.1525), 0.05)
    assert control.hit_rate == 0.75
    inactive = [each._replace(targets={"assay": "inactive"}) for each in molecules]
    assert control_errors(inactive, {"assay": 0.5}, rates)["assay"].hit_rate == 0.25


def test_control_of_a_class_by_hand() -> None:
    molecules = [
        assayed({"a": 0.9, "b": 0.1, "c": 0.0}, "a"),  # a hit
        assayed({"a": 0.4, "b": 0.5, "c": 0.1}, "a"),  # no hit
        assayed({"a": 0.3, "b": 0.3, "c": 0.4}, "a|b"),  # more for the two, but c is likeliest
        assayed({"a": 0.0, "b": 1.2, "c": -0.2}, "b"),  # more than certain is no miss
    ]
    control = control_errors(molecules, {"assay": 0.5})["assay"]
    assert control.molecules == 4
    assert control.hit_rate == 0.5
    assert control.mean == pytest.approx((0.9 + 0.4 + 0.6 + 1.0) / 4)
    assert control.mae == pytest.approx((0.1 + 0.6 + 0.4 + 0.0) / 4)
    assert control.mae_scaled == pytest.approx(2 * control.mae)


def test_a_share_of_nothing_is_undefined() -> None:
    assert share(1, 4) == 0.25
    assert math.isnan(share(0, 0))


def test_summary_becomes_json_also_when_nothing_was_drawn() -> None:
    summary = Summary(
        tier="consistent",
        requested=3,
        found=0,
        draws=0,
        acceptance=math.nan,
        uniqueness=math.nan,
        novelty=math.nan,
        index_error_rate=1e-4,
        refusals={},
        control=control_errors([asked(2.0, (2.5, 2.5))], {"LogP": 1.0}),
        seed=1,
        model="0123456789ab",
        settings={},
        seconds=0.0,
    )
    plain = json.loads(json.dumps(summary.to_dict(), allow_nan=False))
    assert (plain["acceptance"], plain["uniqueness"], plain["novelty"]) == (None, None, None)
    assert plain["control"]["LogP"]["mae"] == pytest.approx(0.5)
    assert math.isnan(summary.acceptance)


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


def test_neighbors_and_variants_become_tables_too() -> None:
    made = molecule(targets={"LogP": (2.5, 2.5)})
    frame = to_frame([Neighbor(made, 0.625, 0.9)])
    assert list(frame.columns)[:4] == ["ID", "SMILES", "tanimoto", "distance"]
    assert frame["target_LogP"].tolist() == [2.5]
    (seen,) = standardize_and_measure(Standardization(), ["MW"], ["CC(=O)Nc1ccc(O)cc1"])
    assert isinstance(seen, PreparedMolecule)
    frame = to_frame([Variant(made, Source("paracetamol", 1, seen), 0.625)])
    assert frame["source_ID"].tolist() == ["paracetamol"]
    assert frame["mol"][0].GetNumAtoms() == 13


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
