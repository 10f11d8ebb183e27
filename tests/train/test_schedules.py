from dataclasses import replace

import pytest

from molvae.config import PRESETS, TrainConfig
from molvae.train.schedules import kl_weight, learning_rate

CONFIG = TrainConfig(
    learning_rate=0.01, warmup=0.1, final_rate=0.02, beta=0.5, kl_hold=0.1, kl_warmup=0.2
)
STEPS = [step / 1000 for step in range(1001)]


def test_learning_rate_rises_in_a_line_and_falls_in_a_cosine() -> None:
    assert learning_rate(CONFIG, 0.05) == pytest.approx(0.005)
    assert learning_rate(CONFIG, 0.1) == pytest.approx(0.01)
    assert learning_rate(CONFIG, 0.55) == pytest.approx(0.01 * (0.02 + 0.98 / 2))
    assert learning_rate(CONFIG, 1.0) == pytest.approx(0.0002)
    rates = [learning_rate(CONFIG, progress) for progress in STEPS]
    assert rates[:100] == sorted(rates[:100])
    assert rates[100:] == sorted(rates[100:], reverse=True)
    assert min(rates) > 0


def test_a_linear_schedule_falls_in_a_line() -> None:
    config = replace(CONFIG, schedule="linear")
    assert learning_rate(config, 0.05) == pytest.approx(0.005)
    assert learning_rate(config, 0.55) == pytest.approx(0.01 * (0.02 + 0.98 / 2))
    assert learning_rate(config, 0.775) == pytest.approx(0.01 * (0.02 + 0.98 / 4))
    assert learning_rate(config, 1.0) == pytest.approx(0.0002)


@pytest.mark.parametrize("epochs", [2, 1000])
def test_a_constant_schedule_does_not_depend_on_its_end(epochs: int) -> None:
    config = replace(CONFIG, schedule="constant", epochs=epochs)
    assert learning_rate(config, 0.05 / epochs) == pytest.approx(0.005)
    assert [learning_rate(config, done / epochs) for done in (0.1, 0.5, 1.5, 2.0)] == [0.01] * 4


def test_kl_weight_waits_rises_and_stays() -> None:
    assert [kl_weight(CONFIG, progress) for progress in (0.0, 0.05, 0.0999)] == [0.0] * 3
    assert kl_weight(CONFIG, 0.2) == pytest.approx(0.25)
    assert [kl_weight(CONFIG, progress) for progress in (0.31, 0.9, 1.0)] == [0.5] * 3
    weights = [kl_weight(CONFIG, progress) for progress in STEPS]
    assert weights == sorted(weights)


def test_ramps_of_no_length_are_steps() -> None:
    config = TrainConfig(learning_rate=0.01, warmup=0.0, beta=0.5, kl_hold=0.1, kl_warmup=0.0)
    assert learning_rate(config, 0.0) == pytest.approx(0.01)
    assert kl_weight(config, 0.0999) == 0.0
    assert kl_weight(config, 0.1) == 0.5


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_reach_their_full_kl_weight_before_half_time(preset: str) -> None:
    train = PRESETS[preset][1]
    assert kl_weight(train, 0.0) == 0.0
    assert kl_weight(train, 0.5) == train.beta
