"""`--init MODEL`: data for fine-tuning a model, and its first weights."""

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from molvae.cli.fields import NONE
from molvae.config import STANDARDIZATION, DataConfig, ModelConfig, updated
from molvae.errors import ArtifactError, ConfigError, UsageError
from molvae.presets import PRESETS, SMALL_SET, Preset, fine_tuning

if TYPE_CHECKING:
    from molvae.dataset import MoleculeDataset
    from molvae.train.initialization import Initial

INITIAL_FILE = "initial.safetensors"  # in a run folder: the model before the first step
MAY_DIFFER = ("dropout",)  # has no weights
CAPS = ("max_length", "max_heavy_atoms", "max_symbols")  # as it, unless a flag says otherwise


def prepared_like(model: str, settings: Mapping[str, Any]) -> tuple[DataConfig, frozenset[str]]:
    """Return how a model's training set was prepared, and the symbols that the model knows.

    Labels and splits are free in `settings`, the options of the command.

    Raises:
        UsageError: for a setting that contradicts the model, naming it.
        ArtifactError: when the model does not say how its data were prepared.
    """
    from molvae.checkpoint import find_model, read_header
    from molvae.chem.properties import PROPERTIES, resolve
    from molvae.cli.generators import title

    path = find_model(model)
    header = read_header(path)
    try:
        data, names = header["provenance"]["data"], header["normalizer"]["names"]
        own = {key: data[key] for key in (*STANDARDIZATION, *CAPS)}
        own["properties"] = tuple(name for name in names if name in PROPERTIES)
        base = updated(DataConfig(), own)
    except (KeyError, TypeError, ConfigError) as error:
        raise ArtifactError(f"{path}: damaged: how its data were prepared: {error}") from error
    free = f"Leave the option out, or prepare without --init {model}."
    for key in STANDARDIZATION:
        if settings[key] is not None and settings[key] != own[key]:
            raise UsageError(
                f"{key} = {settings[key]}: {title(model)} was trained with {own[key]}. {free}"
            )
    given = settings["properties"]
    asked = {resolve(name).name for name in given if name != NONE}
    lacking = [name for name in base.properties if name not in asked]
    if given and lacking:
        raise UsageError(
            f"properties: {title(model)} was trained with {', '.join(lacking)} as well. {free}"
        )
    return base, frozenset(header["symbols"])


def find_initial(
    model: str | None, run: Path, dataset: "MoleculeDataset", *, resume: bool
) -> "Initial | None":
    """Return the model that a training starts from, also when it is resumed; None for none.

    Raises:
        UsageError: when a training is to go on with another model than it began with.
    """
    from molvae.checkpoint import Checkpoint, find_model
    from molvae.cli.generators import title
    from molvae.files.store import read_sha256
    from molvae.train.initialization import begin_again, begin_with

    kept = run / INITIAL_FILE
    if not resume:
        if model is None:
            return None
        checkpoint = Checkpoint.load(find_model(model))
        return begin_with(checkpoint, dataset, name=title(model))
    if not kept.is_file():
        if model is None:
            return None
        raise UsageError(f"{run}: this training began with random weights; go on without --init.")
    initial = begin_again(Checkpoint.load(kept), dataset)
    origin = initial.checkpoint.provenance["init"]
    if model is not None and read_sha256(find_model(model)) != origin["sha256"]:
        raise UsageError(
            f"{run}: this training began with {origin['name']} {origin['sha256'][:12]}; go on"
            " without --init."
        )
    return initial


def keep_initial(initial: "Initial | None", run: Path) -> None:
    """Save the initial model in the run folder, so that --resume needs no --init."""
    if initial is None:
        (run / INITIAL_FILE).unlink(missing_ok=True)
    else:
        initial.checkpoint.save(run / INITIAL_FILE)


def settings_of(initial: "Initial", preset: str | None) -> Preset:
    """Return the sizes of the model, how it is trained further, and its kind of prior.

    Raises:
        UsageError: for a preset of other sizes.
    """
    checkpoint = initial.checkpoint
    if preset is not None:
        check_sizes(initial, PRESETS[preset].model, where=f"preset {preset}, ")
        return PRESETS[preset]._replace(model=checkpoint.model.config)
    train = fine_tuning(checkpoint.provenance["train"])
    if len(initial.dataset.members("train")) >= SMALL_SET:
        train = replace(train, patience=0)
    return Preset(checkpoint.model.config, train, checkpoint.prior.config)


def check_sizes(initial: "Initial", wanted: ModelConfig, *, where: str = "") -> None:
    """Refuse other sizes than the model has.

    Raises:
        UsageError: naming the first that differs.
    """
    name, own = initial.checkpoint.provenance["init"]["name"], initial.checkpoint.model.config
    for item in fields(ModelConfig):
        here, there = getattr(wanted, item.name), getattr(own, item.name)
        if here != there and item.name not in MAY_DIFFER:
            raise UsageError(
                f"{where}{item.name} = {here}: {name} has {there}, and a model keeps its sizes."
                " Leave it out, or train without --init."
            )
