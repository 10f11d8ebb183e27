"""Presets, complete settings of generation and its defaults, fine-tuning, and the TOML file."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

from molvae.config import GenerateConfig, ModelConfig, PriorConfig, TrainConfig, check, updated
from molvae.errors import ConfigError, did_you_mean

TABLES = ("model", "train", "prior")  # of a configuration file
MAX_TOML = 2**20  # bytes; all keys with their help take 3,000


class Preset(NamedTuple):
    """Settings that go together."""

    model: ModelConfig
    train: TrainConfig
    prior: PriorConfig = PriorConfig()


PRESETS: dict[str, Preset] = {
    # tiny: minutes on two cores, up to 20,000 molecules.
    "tiny": Preset(
        ModelConfig(
            encoder_size=128, decoder_size=256, decoder_layers=1, latent_size=32, film=True
        ),
        TrainConfig(epochs=8, batch_size=64, learning_rate=3e-3),
    ),
    # small: about an hour and a half on one CPU core without bf16 units, 250,000 molecules.
    "small": Preset(
        ModelConfig(
            symbol_size=64,
            encoder_size=128,
            decoder_size=384,
            decoder_layers=1,
            latent_size=32,
            film=True,
        ),
        TrainConfig(epochs=6, batch_size=128),
    ),
    "base": Preset(ModelConfig(film=True), TrainConfig(epochs=30, batch_size=512)),
    "large": Preset(
        ModelConfig(
            encoder_size=512, decoder_size=1024, decoder_layers=3, latent_size=128, film=True
        ),
        TrainConfig(epochs=30, batch_size=1024, beta=0.1, free_nats=20.0),
    ),
}


@dataclass(frozen=True)
class DrawSettings(GenerateConfig):
    """How molecules are drawn, with nothing left open."""

    temperature: float = 0.0
    noise: float = 0.0

    @classmethod
    def of(cls, config: GenerateConfig) -> "DrawSettings":
        """Return a configuration that leaves nothing open, checked.

        Raises:
            ConfigError: for a value out of its range.
        """
        if isinstance(config, cls):
            return config
        return cls(**{item.name: getattr(config, item.name) for item in fields(check(config))})


# Defaults of models whose own settings were not searched. A plain decoder samples whole codes at a
# low temperature, since the codes bring variety and a high one mostly adds mistakes
# (benchmarks/decoding). A noise-conditional decoder samples from noise alone, as a language model
# that follows the properties (benchmarks/frontier), and at a higher temperature.
COOL, WARM = 0.2, 0.7
WHOLE_CODES = GenerateConfig(noise=0.0, temperature=COOL)
NO_CODES = GenerateConfig(noise=1.0, temperature=WARM)


def temperature_at(noise: float) -> float:
    """Return the default temperature of a noise level, between the two above."""
    return COOL + noise * (WARM - COOL)


# How molecules near a given one are searched (benchmarks/neighbors): the largest noise and radius
# of the codes, and the strings decoded, the likeliest of each code.
NEAR_CODES = GenerateConfig(
    noise=0.4, temperature=0.0, guidance=1.0, shortlist=1, best_of=1, max_tries=1
)
NEAR_RADIUS = 0.7
NEAR_TRIES = 512


# How each molecule of a series is searched: the number of candidates, and the highest noise level
# of their codes; more would leave little of the molecule that the series begins with.
SERIES_TRIES = 64
SWEEP_GUIDANCE = 1.5
SERIES_NOISE = 0.75

# Settings for training a trained model further (benchmarks/finetuning): few epochs, and an early
# end, since a model overfits a small set soon, and the KL weight of its first training.
FINE_TUNING = TrainConfig(
    epochs=12,
    patience=3,
    batch_size=16,
    learning_rate=2e-3,
    weight_decay=0.01,
    warmup=0.05,
    kl_hold=0.0,
    kl_warmup=0.0,
)
SMALL_SET = 100_000  # training molecules below which a model that is trained further overfits them
OBJECTIVE = ("beta", "free_nats", "property_weight")  # kept from the first training


def fine_tuning(trained: Mapping[str, Any]) -> TrainConfig:
    """Return the settings for training a model further.

    Args:
        trained: how it was trained, from its provenance.

    Raises:
        ConfigError: for a value out of its range.
    """
    objective = {key: trained[key] for key in OBJECTIVE if key in trained}
    return updated(FINE_TUNING, objective, where="the model's training")


def load_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        ConfigError: when it is none.
    """
    if path.exists() and not path.is_file():
        raise ConfigError(f"{path}: a folder or a pipe, where a TOML file is expected.")
    try:
        if path.stat().st_size > MAX_TOML:
            raise ConfigError(f"{path}: too large for a configuration; is it a TOML file?")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    # Beside its own, the parser lets through what Python says of numbers of 5,000 digits.
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not a TOML file that can be read: {error}") from error


def read_toml(path: Path) -> dict[str, dict[str, Any]]:
    """Read a configuration file with the tables [model], [train] and [prior].

    Raises:
        ConfigError: when the file is no TOML or has an unknown table.
    """
    tables = load_toml(path)
    for name, table in tables.items():
        if name not in TABLES:
            raise ConfigError(
                f"{path}: unknown table [{name:.80}]{did_you_mean(name, TABLES) or '.'}"
            )
        if not isinstance(table, dict):
            raise ConfigError(f"{path}: '{name}' is a table: write [{name}] above its keys.")
    return tables


def to_toml(preset: Preset) -> str:
    """Write the resolved configuration, each key with its help; `read_toml` reads it back."""
    lines = []
    for title, config in preset._asdict().items():
        lines.append(f"[{title}]")
        for item in fields(config):
            value = getattr(config, item.name)
            text = json.dumps(value) if isinstance(value, str | bool) else str(value)
            lines.append(f"{item.name} = {text}  # {item.metadata['help']}")
        lines.append("")
    return "\n".join(lines)
