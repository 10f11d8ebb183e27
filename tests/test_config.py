import os
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from molvae.config import (
    DataConfig,
    GenerateConfig,
    ModelConfig,
    PriorConfig,
    TrainConfig,
    as_dict,
    check,
    updated,
)
from molvae.errors import ConfigError
from molvae.presets import FINE_TUNING, PRESETS, Preset, fine_tuning, read_toml, to_toml

KINDS = (DataConfig, ModelConfig, TrainConfig, GenerateConfig)


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_has_a_good_default_and_a_help_text(kind: Any) -> None:
    check(kind())
    for item in fields(kind):
        assert item.metadata["help"], item.name


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_within_their_ranges(preset: str) -> None:
    for config in PRESETS[preset]:
        check(config)


def test_fine_tuning_is_brief_and_keeps_the_objective() -> None:
    config = fine_tuning({"beta": 0.1, "free_nats": 20.0, "learning_rate": 0.5, "of": "later"})
    assert (config.beta, config.free_nats) == (0.1, 20.0)
    assert config == replace(FINE_TUNING, beta=0.1, free_nats=20.0)
    assert config.epochs < TrainConfig().epochs
    assert config.kl_hold == config.kl_warmup == 0, "the KL weight does not begin at zero again"
    with pytest.raises(ConfigError, match=r"beta = 'much': expected float"):
        fine_tuning({"beta": "much"})


RANGED = [
    (kind, item.name, item.metadata[end], step)
    for kind in KINDS
    for item in fields(kind)
    for end, step in (("low", -1), ("high", 1))
    if item.metadata[end] is not None
]


@pytest.mark.parametrize(("kind", "name", "end", "step"), RANGED)
def test_range_holds_its_ends_and_nothing_beyond(kind: Any, name: str, end: Any, step: int) -> None:
    whole = isinstance(getattr(kind(), name), int)
    check(replace(kind(), **{name: int(end) if whole else float(end)}))
    with pytest.raises(ConfigError, match=rf"^{name} = .* is out of range: .*{end}"):
        check(replace(kind(), **{name: end + step if whole else end + step * 1e-3}))


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (ModelConfig(dropout=float("nan")), "dropout = nan is out of range"),
        (ModelConfig(latent_size=10**9), "latent_size = 1000000000 is out of range: 1 to 1024"),
        (ModelConfig(latent_size=8.0), "latent_size = 8.0: expected int"),  # type: ignore[arg-type]
        (ModelConfig(latent_size=True), "latent_size = True: expected int"),
        (TrainConfig(beta="1"), "beta = '1': expected float"),  # type: ignore[arg-type]
        (DataConfig(stereo=1), "stereo = 1: expected bool"),  # type: ignore[arg-type]
        (DataConfig(labels="pIC50"), "labels = 'pIC50': expected a list of words"),  # type: ignore[arg-type]
        (DataConfig(labels=(1,)), "expected a list of words"),  # type: ignore[arg-type]
        (TrainConfig(precision="bf61"), "auto, fp32, bf16, fp16; did you mean 'bf16'?"),
    ],
)
def test_wrong_value_is_named_with_what_is_expected(config: Any, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check(config)
    assert words in str(caught.value)


def test_unknown_key_is_refused_with_the_nearest_and_all_known() -> None:
    with pytest.raises(ConfigError) as caught:
        updated(TrainConfig(), {"batchsize": 3}, where="my.toml [train]")
    text = str(caught.value)
    assert text.startswith("my.toml [train]: unknown key 'batchsize'; did you mean 'batch_size'?")
    assert "kl_warmup" in text


def test_changes_are_applied_and_checked() -> None:
    config = updated(DataConfig(), {"labels": ["a", "b"], "stereo": True})
    assert config == DataConfig(labels=("a", "b"), stereo=True)
    with pytest.raises(ConfigError, match="validation"):
        updated(DataConfig(), {"validation": 0.6})


@pytest.mark.parametrize("preset", PRESETS)
def test_toml_restores_every_value(preset: str, tmp_path: Path) -> None:
    settings = PRESETS[preset]
    settings = Preset(
        replace(settings.model, dropout=0.125, latent_size=17, film=True, noise_conditional=True),
        replace(settings.train, learning_rate=1e-7, precision="bf16", seed=2**40, final_rate=0),
        replace(settings.prior, prior="standard"),
    )
    path = tmp_path / "config.toml"
    path.write_text(to_toml(settings), encoding="utf-8")
    tables = read_toml(path)
    assert tables == {name: as_dict(config) for name, config in settings._asdict().items()}
    assert updated(ModelConfig(), tables["model"]) == settings.model
    assert updated(TrainConfig(), tables["train"]) == settings.train
    assert updated(PriorConfig(), tables["prior"]) == settings.prior


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[modle]\nlatent_size = 3", r"unknown table \[modle\]; did you mean 'model'"),
        ("model = 3", "'model' is a table"),
        ("latent_size = 3", r"unknown table \[latent_size\]"),
        ("[model", "not a TOML file"),
        ("[model]\nlatent_size = 1\nlatent_size = 2", "not a TOML file"),
        ("[train]\nseed = " + "9" * 5000, "not a TOML file"),
        ("[train]\nseed = " + "[" * 5000, "not a TOML file"),
        ("[train]\nseed = 2001-02-30", "not a TOML file"),
        ("[train]\n# " + "x" * 2**20, "too large for a configuration"),
    ],
)
def test_invalid_toml_is_refused_with_its_path(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=words) as caught:
        read_toml(path)
    assert str(path) in str(caught.value)


def test_toml_that_is_missing_or_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    os.mkfifo(tmp_path / "pipe")
    for name, words in (
        ("none.toml", "not a TOML file that can be read"),
        ("binary", "not a TOML file that can be read"),
        (".", "a folder or a pipe, where a TOML file is expected"),
        ("pipe", "a folder or a pipe, where a TOML file is expected"),
    ):
        with pytest.raises(ConfigError, match=words):
            read_toml(tmp_path / name)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("property_weight", "inf"),
        ("property_weight", "nan"),
        ("property_weight", "1" + "0" * 400),
        ("save_every", "inf"),
        ("learning_rate", "nan"),
        ("seed", "18446744073709551616"),
        ("epochs", "1e2"),
        ("precision", "{a = 1}"),
        ("clip", "2001-02-03"),
        ("batch_size", "[" * 50 + "]" * 50),
        ("\\u001b" * 200, "1"),
    ],
)
def test_invalid_value_of_training_is_refused_briefly(key: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text(f'[train]\n"{key}" = {text}\n')
    with pytest.raises(ConfigError) as caught:
        updated(TrainConfig(), read_toml(path)["train"])
    assert len(str(caught.value)) < 700  # the known keys included
