"""Every hyper-parameter once: its default, its range and its help text.

The command line's options, the TOML file, the checkpoint's header and the reference in docs
are all read off these dataclasses. Precedence: flag > file > preset > default.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, TypeVar, get_args, get_type_hints

from molvae.arguments import MAX_MOLECULES, MAX_SEED
from molvae.errors import ConfigError, did_you_mean

# Settings of `prepare` that a model and the data to fine-tune it on have in common.
STANDARDIZATION = ("stereo", "largest_fragment", "uncharge", "isotopes")
DEFAULT_PROPERTIES = ("MW", "LogP", "TPSA", "QED", "SA", "HBD", "HBA", "RotB")


def setting(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] | None = None,
) -> Any:
    """Declare one hyper-parameter: default, one-line help, and the values that make sense.

    A number has both ends of a range, so that an infinite one never passes.
    """
    return field(default=default, metadata=dict(help=help, low=low, high=high, choices=choices))


@dataclass(frozen=True)
class DataConfig:
    """Settings of `prepare`: a table of molecules becomes a dataset."""

    properties: tuple[str, ...] = setting(
        DEFAULT_PROPERTIES, "Properties to compute and condition on, or none"
    )
    labels: tuple[str, ...] = setting(
        (),
        "Label columns to condition on, numbers or classes; NAME:class and NAME:number set it,"
        " NAME:log10 takes the logarithm",
    )
    smiles_column: str = setting("", "Column of SMILES; empty: found by name")
    stereo: bool = setting(False, "Keep stereo marks")
    largest_fragment: bool = setting(True, "Keep only the largest fragment of salts and mixtures")
    uncharge: bool = setting(True, "Neutralize charges where possible")
    isotopes: bool = setting(False, "Keep isotope labels")
    max_length: int = setting(400, "Longest SMILES accepted, in characters", low=1, high=10_000)
    max_heavy_atoms: int = setting(
        150, "Largest molecule accepted, in heavy atoms", low=1, high=500
    )
    max_symbols: int = setting(128, "Longest SELFIES accepted, in symbols", low=2, high=1024)
    min_count: int = setting(
        5,
        "Molecules that must contain a symbol for it to enter the vocabulary",
        low=1,
        high=MAX_MOLECULES,
    )
    split: str = setting(
        "random", "random, scaffold, or the column that names the split of each row"
    )
    validation: float = setting(0.05, "Fraction of molecules for validation", low=0.0, high=0.5)
    test: float = setting(0.05, "Fraction of molecules for testing", low=0.0, high=0.5)
    seed: int = setting(0, "Seed of the split", low=0, high=MAX_SEED)
    fingerprints: bool = setting(
        True,
        "Keep fingerprints of up to 20,000 training molecules, also in models trained on them, so"
        " that predict and score tell how near a molecule is; they reveal parts of structures",
    )


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of the conditional VAE."""

    symbol_size: int = setting(128, "Width of the token embedding", low=4, high=4096)
    encoder_size: int = setting(256, "Width of the encoder LSTM, per direction", low=4, high=4096)
    decoder_size: int = setting(512, "Width of each decoder LSTM", low=4, high=4096)
    decoder_layers: int = setting(2, "Number of decoder LSTMs", low=1, high=8)
    latent_size: int = setting(64, "Number of latent dimensions", low=1, high=1024)
    condition_size: int = setting(128, "Width of the condition embedding", low=4, high=4096)
    dropout: float = setting(0.0, "Dropout between decoder layers", low=0.0, high=0.9)
    film: bool = setting(  # of a model that does not say so: it is older and has none
        False, "Scale the decoder's hidden units by latent code and properties (FiLM)"
    )
    noise_conditional: bool = setting(
        False, "Train the decoder with latent codes at every noise level"
    )


@dataclass(frozen=True)
class PriorConfig:
    """Settings of the prior p(z given c), which draws latent codes."""

    prior: str = setting(
        "joint-gaussian",
        "joint-gaussian: one Gaussian over latent codes and properties; standard: N(0, I),"
        " independent of the properties",
        choices=("joint-gaussian", "standard"),
    )


@dataclass(frozen=True)
class TrainConfig:
    """Settings of training."""

    epochs: int = setting(30, "Passes over the training split", low=1, high=100_000)
    patience: int = setting(
        0,
        "Epochs without a better validation loss before training stops; 0: never",
        low=0,
        high=100_000,
    )
    batch_size: int = setting(256, "Molecules per step", low=1, high=65_536)
    accumulate: int = setting(
        1, "Gradient accumulation steps: parts of each batch, to save memory", low=1, high=65_536
    )
    optimizer: str = setting(
        "muon",
        "muon (orthogonalized momentum for the weight matrices; needs fewer epochs) or adamw",
        choices=("muon", "adamw"),
    )
    learning_rate: float = setting(2e-3, "Peak learning rate", low=1e-7, high=1.0)
    weight_decay: float = setting(0.1, "Weight decay of the weight matrices", low=0.0, high=1.0)
    schedule: str = setting(
        "cosine",
        "Learning rate after the warm-up: cosine or linear decay until the last epoch, or constant;"
        " for constant, the warm-up is a fraction of the first epoch",
        choices=("cosine", "linear", "constant"),
    )
    warmup: float = setting(
        0.02, "Warm-up of the learning rate, as a fraction of the steps", low=0.0, high=0.5
    )
    final_rate: float = setting(0.02, "Final learning rate, relative to the peak", low=0, high=1)
    clip: float = setting(1.0, "Gradient clipping: largest norm", low=1e-3, high=1e3)
    ema: float = setting(
        0.999, "Decay of the weights' moving average (EMA)", low=0.0, high=0.999999
    )
    beta: float = setting(1.0, "Weight of the KL term", low=0.0, high=100.0)
    kl_hold: float = setting(0.02, "Fraction of steps with a KL weight of zero", low=0.0, high=0.9)
    kl_warmup: float = setting(
        0.15, "Warm-up of the KL weight, as a fraction of the steps", low=0.0, high=1.0
    )
    free_nats: float = setting(8.0, "Free nats: KL per molecule without penalty", low=0.0, high=500)
    property_weight: float = setting(
        0.5, "Weight of the property head's squared error", low=0.0, high=1e6
    )
    balance: float = setting(
        0.1,
        "Share of an epoch that the molecules of each class of a label have, by repeating those of"
        " rarer classes up to ten times; 0: none is repeated",
        low=0.0,
        high=0.5,
    )
    precision: str = setting(
        "auto",
        "Precision of the matrix products; auto: bf16 on a CPU that has bf16 units, else fp32",
        choices=("auto", "fp32", "bf16", "fp16"),
    )
    seed: int = setting(0, "Seed of weights, order and noise", low=0, high=MAX_SEED)
    save_every: float = setting(120.0, "Seconds between saves within an epoch", low=1.0, high=1e6)


@dataclass(frozen=True)
class GenerateConfig:
    """Settings of generation."""

    tier: str = setting(
        "consistent",
        "consistent: molecules that SELFIES had to repair are sampled again; raw: they are kept",
        choices=("consistent", "raw"),
    )
    temperature: float | None = setting(
        None,
        "Sampling temperature; 1 samples the learned distribution, lower is more conservative",
        low=0.0,
        high=5.0,
    )
    top_p: float = setting(
        1.0, "Sample from the most likely tokens with this total probability", low=0.01, high=1
    )
    guidance: float = setting(
        1.5,
        "Classifier-free guidance weight; 1 is off, larger follows the targets more closely",
        low=0.0,
        high=10,
    )
    noise: float | None = setting(
        None,
        "Fraction of noise in the latent code: 0 uses the whole code, 1 only the properties; needs"
        " a model trained with --noise-conditional",
        low=0.0,
        high=1.0,
    )
    shortlist: int = setting(
        4,
        "Strings sampled for each draw with targets; the model's property head, not RDKit, picks"
        " the one most likely to hit them",
        low=1,
        high=256,
    )
    best_of: int = setting(
        1, "Molecules drawn for each row; the one nearest to the targets is kept", low=1, high=1024
    )
    max_tries: int = setting(20, "Largest number of draws per molecule", low=1, high=100_000)
    unique: bool = setting(True, "Reject duplicates (tier consistent)")
    novel: bool = setting(
        False, "Reject molecules of the training set; the default of models trained with --init"
    )
    in_range: bool = setting(
        False, "Reject molecules outside a requested range or class, or too far from a point"
    )
    within: float = setting(
        0.5,
        "How far from a point still meets it, in standard deviations of the training set",
        low=0.0,
        high=10.0,
    )
    rings: str = setting(
        "known",
        "known: reject molecules with a ring system that hardly any training molecule has (tier"
        " consistent); any: keep them",
        choices=("known", "any"),
    )
    filters: tuple[str, ...] = setting(
        (), "Structural alerts to reject: PAINS, BRENK, NIH, MCF, MOSES"
    )
    smarts: tuple[str, ...] = setting((), "Keep only molecules that match this SMARTS pattern")
    not_smarts: tuple[str, ...] = setting((), "Reject molecules that match this SMARTS pattern")


@dataclass(frozen=True)
class OptimizeConfig:
    """Settings of optimization."""

    method: str = setting(
        "bayes",
        "bayes: a Gaussian process chooses among ten proposals for each call; evolve: chance"
        " chooses",
        choices=("bayes", "evolve"),
    )
    batch: int = setting(10, "Molecules scored at once", low=1, high=10_000)
    min_similarity: float = setting(
        0.4,
        "Smallest similarity to the molecule of --like (Tanimoto, Morgan radius 2, 2048 bits)",
        low=0.0,
        high=1.0,
    )


# Options of molvae 0.1.0 that have left. Files that name them still load, unless they need them.
RETIRED = {
    "merges",
    *("flow_size", "flow_blocks", "flow_steps", "flow_batch_size", "flow_learning_rate"),
    *("flow_guidance", "integration_steps"),
}

Config = TypeVar(
    "Config", DataConfig, ModelConfig, PriorConfig, TrainConfig, GenerateConfig, OptimizeConfig
)


def check(config: Config) -> Config:
    """Return `config` when every value is of its type, or numpy's, and in its range.

    Raises:
        ConfigError: naming the key, the value and the range.
    """
    hints = get_type_hints(type(config))
    given = {item.name: getattr(config, item.name) for item in fields(config)}
    config = replace(config, **{name: _plain(value) for name, value in given.items()})
    for item in fields(config):
        value, kind = getattr(config, item.name), hints[item.name]
        if kind == float | None:
            if value is None:
                continue
            kind = float
        _check_type(item.name, value, kind)
        low, high, choices = (item.metadata[key] for key in ("low", "high", "choices"))
        if choices is not None and value not in choices:
            raise ConfigError(
                f"{item.name} = {value!r:.80}: one of {', '.join(choices)}"
                f"{did_you_mean(str(value), choices) or '.'}"
            )
        if low is not None and not low <= value <= high:
            raise ConfigError(f"{item.name} = {value!r:.80} is out of range: {low} to {high}.")
    return config


def _plain(value: Any) -> Any:
    """Return a value of numpy as Python's, and a list as a tuple."""
    value = value.tolist() if type(value).__module__ == "numpy" else value
    return tuple(value) if isinstance(value, list) else value


def _check_type(name: str, value: object, kind: Any) -> None:
    if get_args(kind):  # tuple[str, ...]
        expected = "a list of words"
        good = isinstance(value, tuple) and all(isinstance(word, str) for word in value)
    else:
        expected = kind.__name__
        good = isinstance(value, int | float if kind is float else kind)
        good = good and (kind is bool or not isinstance(value, bool))
    if not good:
        raise ConfigError(f"{name} = {value!r:.80}: expected {expected}.")


def updated(config: Config, changes: Mapping[str, Any], *, where: str = "configuration") -> Config:
    """Return `config` with `changes` applied and checked.

    Raises:
        ConfigError: for an unknown key (with the nearest known one) or a bad value, and for what
            only an older version can do.
    """
    check_supported(where, merges=changes.get("merges"), prior=changes.get("prior"))
    changes = {key: value for key, value in changes.items() if key not in RETIRED}
    known = {item.name: item for item in fields(config)}
    for key in changes:
        if key not in known:
            raise ConfigError(
                f"{where}: unknown key '{key:.80}'{did_you_mean(key, known) or '.'}"
                f" Known: {', '.join(sorted(known))}."
            )
    values: Any = {key: tuple(v) if isinstance(v, list) else v for key, v in changes.items()}
    return check(replace(config, **values))


def check_supported(where: object, *, merges: object = None, prior: object = None) -> None:
    """Check that a file needs nothing that has left since molvae 0.1.0.

    Args:
        where: the file, or its part.
        merges: byte-pair merges, or their number.
        prior: its kind.

    Raises:
        ConfigError: naming the last version that reads the file.
    """
    for needed, what in ((merges, "byte-pair merges"), (prior == "flow", "a flow prior")):
        if needed:
            raise ConfigError(
                f"{where}: needs {what}. The last version that reads it is molvae 0.1.0,"
                " commit 7d901c7: install that one, or train a model without."
            )


def as_dict(config: Config) -> dict[str, Any]:
    """Return the configuration as plain values, ready for JSON or TOML (tuples as lists)."""
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in asdict(config).items()
    }
