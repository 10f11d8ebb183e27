"""`molvae train`: a dataset -> a model, its log and its health."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from molvae.cli import options
from molvae.cli.progress import Report, progress
from molvae.cli.stopping import stop_signals
from molvae.cli.terminal import say
from molvae.config import PRESETS, ModelConfig, TrainConfig, read_toml, updated
from molvae.errors import UsageError

if TYPE_CHECKING:
    from molvae.train.trainer import Progress

MEASURED, MEASURED_EACH = 256, 128  # molecules drawn at the end: free, and for each property


@click.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@options.output("Folder for the model, its log and its configuration.", required=True)
@click.option(
    "--preset",
    type=click.Choice(tuple(PRESETS)),
    default=None,
    help="Sizes and schedule to start from: tiny for thousands of molecules, small for a CPU"
    " without bf16 units, base and large for a GPU (default tiny).",
)
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    default=None,
    help="TOML file with the tables [model] and [train].",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Go on where the training in this folder stopped; more --epochs stretch its schedule.",
)
@options.config_options(ModelConfig, shown=PRESETS["tiny"][0])
@options.config_options(TrainConfig, shown=PRESETS["tiny"][1])
@options.device
@click.option("--threads", type=click.IntRange(1), default=None, help="CPU threads (default all).")
@click.option(
    "--measure/--no-measure",
    default=True,
    help="Draw molecules at the end and store in the model how well it heeds what is asked.",
)
@options.force
@options.quiet
def command(
    dataset: Path,
    output: str,
    preset: str | None,
    config_file: Path | None,
    resume: bool,
    device: str,
    threads: int | None,
    measure: bool,
    force: bool,
    quiet: bool,
    **settings: Any,
) -> None:
    """Train a model on a DATASET that `molvae prepare` wrote.

    The folder then holds model.safetensors, ready for `molvae generate FOLDER`. Ctrl-C saves
    first; the same command with --resume goes on.
    """
    import torch

    from molvae.dataset import MoleculeDataset
    from molvae.device import choose_device
    from molvae.train.trainer import Trainer

    run = Path(output)
    begun = run / "config.toml"
    if resume and config_file is None and preset is None and begun.is_file():
        config_file = begun  # as it was, but for what the flags say
    model, train = _resolve(preset, config_file, settings)
    _check_run(run, resume, force)
    data = MoleculeDataset.load(dataset)
    if threads:
        torch.set_num_threads(threads)
    total = len(data.members("train")) * train.epochs
    with stop_signals() as stopped:
        trainer = Trainer(
            data,
            run,
            model=model,
            train=train,
            device=choose_device(device),
            resume=resume,
            should_stop=lambda: bool(stopped),
        )
        say(
            f"{trainer.weights / 1e6:.1f} M weights, {len(trainer.members):,} training molecules,"
            f" {trainer.precision.name} on {trainer.device}",
            quiet=quiet,
        )
        with progress("Training", total=total, begun=trainer.seen, quiet=quiet) as report:
            trainer.report = _reporter(report, train.epochs)
            finished = trainer.fit()
    if not finished:
        say(f"Stopped; all is saved in {run}. Go on with --resume.")
        raise SystemExit(128 + stopped[0])
    if stopped:
        raise SystemExit(128 + stopped[0])
    if measure:
        _measure(run, quiet)
    best = min(trainer.state.log, key=lambda epoch: epoch.validation_loss)
    say(
        f"{run / 'model.safetensors'}: of epoch {best.epoch}, validation loss"
        f" {best.validation_loss:.2f}, reconstruction {best.validation_reconstruction:.2f},"
        f" KL {best.validation_kl:.2f} nats per molecule",
        quiet=quiet,
    )
    say(f"molvae info {run} shows more; molvae generate {run} draws molecules.", quiet=quiet)


def _measure(run: Path, quiet: bool) -> None:
    """Store in the model's file how well it does; a machine without RDKit leaves that out."""
    from importlib.util import find_spec

    if not (find_spec("rdkit") and find_spec("selfies")):
        say("Not measured: rdkit and selfies are not installed here.", quiet=quiet)
        return
    import torch

    from molvae.benchmark.card import card_lines
    from molvae.benchmark.card import measure as measure_model
    from molvae.generator import MoleculeGenerator

    path = run / "model.safetensors"
    torch.set_num_threads(1)  # small matrix products: a second thread costs more than it brings
    generator = MoleculeGenerator.load(path)
    total = MEASURED + len(generator.measured) * MEASURED_EACH
    with progress("Measuring", total=total, quiet=quiet) as report:
        card = measure_model(generator, n=MEASURED, per_property=MEASURED_EACH, report=report)
    generator.checkpoint.provenance["measured"] = card
    generator.checkpoint.save(path)
    for line in card_lines(card):
        say(line, quiet=quiet)


def _resolve(
    preset: str | None, config_file: Path | None, settings: dict[str, Any]
) -> tuple[ModelConfig, TrainConfig]:
    """Put the configuration together: flag > file > preset."""
    model, train = PRESETS[preset or "tiny"]
    tables = read_toml(config_file) if config_file else {}
    model = updated(model, tables.get("model", {}), where=f"{config_file} [model]")
    train = updated(train, tables.get("train", {}), where=f"{config_file} [train]")
    return (
        options.config_from(ModelConfig, settings, base=model),
        options.config_from(TrainConfig, settings, base=train),
    )


def _check_run(run: Path, resume: bool, force: bool) -> None:
    """Refuse a folder that holds another training, and a resume of none.

    Raises:
        UsageError: naming the flag that mends it.
    """
    state = (run / "state.safetensors").exists()
    if (state or (run / "model.safetensors").exists()) and not (resume or force):
        raise UsageError(f"{run}: holds a training; --resume goes on, --force starts over.")
    if resume and not state:
        raise UsageError(f"{run}: holds no training to resume.")
    if run.exists() and not run.is_dir():
        raise UsageError(f"{run}: is a file; name a folder.")


def _reporter(report: Report, epochs: int) -> Callable[["Progress"], None]:
    """Return what turns the trainer's steps into words for the progress bar."""

    def show(step: "Progress") -> None:
        report(
            step.seen,
            f"epoch {step.epoch + 1}/{epochs}, reconstruction {step.reconstruction:.1f},"
            f" KL {step.kl:.1f}, properties {step.property_error:.2f} nats",
        )

    return show
