"""What `prepare` says of a label with outliers or a heavy tail."""

import numpy as np
import pytest

from molvae.data.labels import Label
from molvae.data.outliers import describe_outliers

PIC50 = np.random.default_rng(2).normal(6.4, 0.8, 300).round(2)
IC50 = 10.0 ** (9.0 - PIC50)
NAN = float("nan")
Y = Label("y")


def told(values: np.ndarray, label: Label = Y) -> str:
    return " ".join(describe_outliers(label, values, lambda row: f"a.csv:{row + 2}"))


@pytest.mark.parametrize(
    "values", [PIC50, np.log10(IC50), np.full(9, NAN), np.array([1.0, 2.0]), np.array([])]
)
def test_nothing_is_said_of_an_even_label(values: np.ndarray) -> None:
    assert told(values) == ""


def test_a_slip_is_named_with_its_row() -> None:
    values = PIC50.copy()
    values[17] = 2_500_000
    values[20] = NAN
    smallest, largest = PIC50.min(), PIC50.max()
    assert told(values) == (
        f"y: a.csv:19 has 2.5e+06, where the others are {smallest:g} to {largest:g}. Is it a slip?"
        " The model takes it for the farthest of the others."
    )


def test_the_logarithm_is_offered_where_it_helps() -> None:
    text = told(IC50, Label("IC50"))
    farthest = int(IC50.argmax())
    assert text.startswith(f"IC50: heavy-tailed: a.csv:{farthest + 2} has {IC50.max():g}, a.csv:")
    assert text.count("a.csv:") == 3
    assert "--label IC50:log10 takes the logarithm" in text
    assert "log10" not in told(IC50 - np.median(IC50)), "negative numbers have none"


def test_a_label_on_a_logarithmic_scale_is_told_in_its_own_unit() -> None:
    values = np.log10(np.append(IC50, 1e30))
    text = told(values, Label("IC50", log10=True))
    assert text.startswith("log10_IC50: a.csv:302 has 1e+30, where the others are")
