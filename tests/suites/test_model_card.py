"""The card of a model, on models made to pass and to fail it."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from molvae.config import GenerateConfig
from molvae.generator import MoleculeGenerator
from molvae.normalizer import PropertyNormalizer
from molvae.suites.model_card import Calibration, calibrate, card_lines, measure_card
from molvae.targets import Range


class _Molecule(NamedTuple):
    targets: dict[str, Range]
    properties: dict[str, float]


class _Generation(NamedTuple):
    molecules: list[_Molecule]


class _Scripted:
    """Answers every request with a slope of its own, whatever the chemistry."""

    def __init__(self, slope: float) -> None:
        self.slope = slope
        self.defaults = GenerateConfig()
        values = np.random.default_rng(0).normal(2.5, 1.0, (500, 1))
        self.normalizer = PropertyNormalizer.fit(["LogP"], values)

    def generate(self, n: int, requests: list[dict[str, float]], **settings: object) -> _Generation:
        noise = np.random.default_rng(1).normal(0.0, 0.1, n)
        return _Generation(
            [
                _Molecule(
                    {name: (value, value)}, {name: 2.5 + self.slope * (value - 2.5) + float(error)}
                )
                for request, error in zip(requests, noise, strict=True)
                for name, value in request.items()
            ]
        )


def _of(slope: float) -> Calibration:
    return calibrate(_Scripted(slope), "LogP", n=200, seed=0)  # type: ignore[arg-type]


def test_an_obedient_model_has_slope_one_and_passes() -> None:
    found = _of(1.0)
    assert found.slope == pytest.approx(1.0, abs=0.05)
    assert found.r2 > 0.95
    assert found.mae == pytest.approx(0.08, abs=0.02)
    assert found.shuffled_ratio > 5
    assert found.followed


def test_a_deaf_model_has_slope_zero_and_fails() -> None:
    found = _of(0.0)
    assert found.slope == pytest.approx(0.0, abs=0.05)
    assert found.shuffled_ratio == pytest.approx(1.0, abs=0.1)
    assert not found.followed


def test_a_model_that_goes_half_the_way_is_not_called_obedient() -> None:
    assert _of(0.4).slope == pytest.approx(0.4, abs=0.05)
    assert not _of(0.4).followed


def test_a_barely_trained_model_is_measured_and_called_failed(tiny_model_file: Path) -> None:
    generator = MoleculeGenerator.load(tiny_model_file)
    counted: list[int] = []
    card = measure_card(generator, n=32, per_property=16, seed=3, report=counted.append)
    assert card["passed"]["acceptance"] is False
    assert set(card["calibration"]) == set(generator.measured)
    assert counted[-1] == 32 + 16 * len(generator.measured)
    warning = card_lines(card)[-1]
    assert warning.startswith("Warning: a weak model: SELFIES repaired ")
    assert "; it follows targets of MW, LogP" in warning
    assert measure_card(generator, n=32, per_property=16, seed=3) == card
