"""`molvae train`: a dataset to a model, its log and its configuration."""

import os
import signal
from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from molvae.arguments import MAX_JOBS
from molvae.cli import fields, options
from molvae.cli.initial import check_sizes, find_initial, keep_initial, settings_of
from molvae.cli.overwriting import check_run, named_inputs
from molvae.cli.progress import progress
from molvae.cli.stopping import WARNING, stop_signals
from molvae.cli.summaries import error_text
from molvae.cli.terminal import say
from molvae.config import Config, ModelConfig, PriorConfig, TrainConfig, updated
from molvae.errors import ArtifactError, InputError, UsageError
from molvae.presets import PRESETS, SMALL_SET, Preset, read_toml

if TYPE_CHECKING:
    from molvae.dataset import MoleculeDataset
    from molvae.train.initialization import Initial
    from molvae.train.trainer import Progress, Trainer

MEASURED, MEASURED_EACH = 256, 128  # molecules drawn at the end: free, and for each property


@click.command()
@click.argument("dataset", type=click.Path(path_type=Path))
@options.output(
    "Folder for the model, its log and its configuration.", required=True, kind=options.RUN
)
@click.option(
    "--preset",
    type=click.Choice(tuple(PRESETS)),
    default=None,
    help="Preset of sizes and schedule: tiny for thousands of molecules, small for a CPU without"
    " bf16 units, base and large for a GPU (default tiny).",
)
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    default=None,
    help="TOML file with the tables [model], [train] and [prior].",
)
@click.option(
    "--init",
    metavar="MODEL",
    default=None,
    help="Fine-tune this model: a file, a run folder or a bundled one. It keeps its sizes; new"
    " symbols and labels are added.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Continue the training in this folder, with its settings; more --epochs stretch its"
    " schedule.",
)
@fields.config_options(ModelConfig, shown=PRESETS["tiny"].model)
@fields.config_options(TrainConfig, shown=PRESETS["tiny"].train)
@fields.config_options(PriorConfig, shown=PRESETS["tiny"].prior)
@click.option(
    "--tensorboard",
    is_flag=True,
    help="Write the log for TensorBoard too; needs the extra 'tensorboard'.",
)
@options.device
@click.option(
    "--threads", type=click.IntRange(1, MAX_JOBS), default=None, help="CPU threads (default all)."
)
@click.option(
    "--measure/--no-measure",
    default=True,
    help="At the end, generate molecules and store in the model how well it follows targets.",
)
@options.force
@options.quiet
def command(
    dataset: Path,
    output: Path,
    preset: str | None,
    config_file: Path | None,
    init: str | None,
    resume: bool,
    tensorboard: bool,
    device: str,
    threads: int | None,
    measure: bool,
    force: bool,
    quiet: bool,
    **settings: Any,
) -> None:
    """Train a model on a DATASET from `molvae prepare`.

    The result is FOLDER/model.safetensors, ready for `molvae generate FOLDER`. Ctrl-C, SIGTERM and
    SIGUSR1 (the warning of a batch system) save the training and exit with 130, 143 and 138. After
    a crash, only the work since the last save is lost. The same command with --resume continues.

    The defaults below belong to the preset tiny. Other presets and --init have other defaults;
    config.toml in the folder records all settings.

    On several GPUs: torchrun --nproc-per-node 4 -m molvae train DATASET -o FOLDER. Each batch is
    divided among the processes; the model is the same as from a single process.
    """
    import torch

    from molvae.train.folder import lock_run
    from molvae.train.processes import joined
    from molvae.train.trainer import Trainer

    run, inputs = output, named_inputs(click.get_current_context())
    data = _dataset(dataset)
    if threads:
        torch.set_num_threads(threads)
    with joined(os.environ, device) as processes:
        quiet = quiet or not processes.is_main
        if processes.is_main:
            _check_run(run, resume, force)
            check_run(run, force=force or resume, inputs=inputs)
        initial = find_initial(init, run, data, resume=resume)
        resumed = run if resume else None
        resolved = _resolve(resumed, preset, config_file, settings, initial=initial)
        trainer = Trainer(
            initial.dataset if initial else data,
            run,
            resolved,
            initial=initial.checkpoint if initial else None,
            resume=resume,
            tensorboard=tensorboard,
            processes=processes,
            notice=partial(say, quiet=quiet),
        )
        for line in initial.lines() if initial else ():
            say(line, quiet=quiet)
        with lock_run(run) if processes.is_main else nullcontext():
            if processes.is_main and not resume:
                keep_initial(initial, run)
            stopped = _fit(trainer, quiet)
            if measure and processes.is_main and not stopped:
                _measure(run, quiet)
    if stopped:
        raise SystemExit(128 + stopped)
    _tell_end(trainer, quiet)


def _fit(trainer: "Trainer", quiet: bool) -> int:
    """Train to the end, or to a signal; return its number, or 0."""
    epochs, count = trainer.config.epochs, len(trainer.members)
    distinct = len(trainer.dataset.members("train"))
    repeated = f" ({count:,} with those of rare classes repeated)" if count > distinct else ""
    say(
        f"{trainer.weights / 1e6:.1f} M weights, {distinct:,} training molecules{repeated},"
        f" {trainer.precision.name} on {trainer.device}",
        quiet=quiet,
    )

    def show(step: "Progress") -> None:
        report(
            step.seen,
            f"epoch {step.epoch + 1}/{epochs}, reconstruction {step.reconstruction:.1f},"
            f" KL {step.kl:.1f}, properties {step.property_error:.2f} nats",
        )

    bar = progress("Training", total=count * epochs, begun=trainer.seen, quiet=quiet)
    with stop_signals(WARNING) as stopped, bar as report:
        trainer.should_stop = lambda: bool(stopped)
        trainer.report = show
        finished = trainer.fit()
    if finished and not stopped:
        return 0
    if trainer.processes.is_main:
        say(f"Stopped; all is saved in {trainer.run}. Continue with --resume.")
    return stopped[0] if stopped else signal.SIGTERM  # another process has stopped


def _tell_end(trainer: "Trainer", quiet: bool) -> None:
    run, state = trainer.run, trainer.state
    if state.epoch < trainer.config.epochs:
        say(
            f"Ended after epoch {state.epoch} of {trainer.config.epochs}: the validation loss was"
            f" no better for {state.epochs_since_best}. To continue: --resume with a larger"
            " --patience.",
            quiet=quiet,
        )
    best = state.log[-1 - state.epochs_since_best]
    say(
        f"{run / 'model.safetensors'}: of epoch {best.epoch}, validation loss"
        f" {best.validation_loss:.2f}, reconstruction {best.validation_reconstruction:.2f},"
        f" KL {best.validation_kl:.2f} nats per molecule",
        quiet=quiet,
    )
    for line in _label_errors(run):
        say(line, quiet=quiet)
    say(f"molvae info {run} shows more; molvae generate {run} generates molecules.", quiet=quiet)


def _label_errors(run: Path) -> Iterator[str]:
    """Yield the error of each label on held-out molecules, and what --init changes for generate."""
    from molvae.checkpoint import MODEL_FILE, read_header

    provenance = read_header(run / MODEL_FILE)["provenance"]
    tally, errors = provenance.get("tally", {}), provenance["head"]["errors"]
    for name in tally.get("labels", {}):
        yield f"{name}: {error_text(errors.get(name) or {})}"
    if "init" in provenance and provenance["training_molecules"] < SMALL_SET:
        yield "generate leaves out molecules of the training set; --no-novel keeps them."


def _dataset(path: Path) -> "MoleculeDataset":
    """Load a dataset; for a table, name the command that makes a dataset of it.

    Raises:
        InputError: for no file, or a table.
        ArtifactError: for a damaged or foreign one.
    """
    from molvae.dataset import MoleculeDataset

    if not path.exists():
        raise InputError(f"{path}: no such file; molvae prepare makes a dataset.")
    try:
        return MoleculeDataset.load(path)
    except ArtifactError as error:
        endings = {suffix.lower().removeprefix(".") for suffix in path.suffixes}
        if endings.isdisjoint(options.FORMATS):
            raise
        name = path.name.partition(".")[0]
        raise InputError(
            f"{path}: a table: first molvae prepare {path} -o {name}.molvae"
        ) from error


def _measure(run: Path, quiet: bool) -> None:
    """Measure the model and store the result in its file; skipped without RDKit."""
    from importlib.util import find_spec

    if not (find_spec("rdkit") and find_spec("selfies")):
        say("Not measured: rdkit and selfies are not installed here.", quiet=quiet)
        return
    import torch

    from molvae.generator import MoleculeGenerator
    from molvae.suites.model_card import card_lines, measure_card

    path = run / "model.safetensors"
    torch.set_num_threads(1)  # small matrix products: a second thread costs more than it brings
    generator = MoleculeGenerator.load(path)
    total = MEASURED + len(generator.measured) * MEASURED_EACH
    with progress("Measuring", total=total, quiet=quiet) as report:
        card = measure_card(generator, n=MEASURED, per_property=MEASURED_EACH, report=report)
    generator.checkpoint.provenance["measured"] = card
    generator.checkpoint.save(path)
    for line in card_lines(card):
        say(line, quiet=quiet)


def _resolve(
    resumed: Path | None,
    preset: str | None,
    config_file: Path | None,
    settings: dict[str, Any],
    *,
    initial: "Initial | None",
) -> Preset:
    """Return the configuration: flag > file or, on a resume, the run's own > preset."""
    from molvae.train.state import read_settings

    base = settings_of(initial, preset) if initial else PRESETS[preset or "tiny"]
    origin, tables = config_file, {} if config_file is None else read_toml(config_file)
    if resumed is not None and config_file is None and preset is None:
        origin = resumed / "state.safetensors"
        tables = read_settings(origin)

    def resolved(part: Config, name: str) -> Config:
        part = updated(part, tables.get(name, {}), where=f"{origin} [{name}]")
        return fields.config_from(type(part), settings, base=part)

    model = resolved(base.model, "model")
    if initial:
        check_sizes(initial, model)
    return Preset(model, resolved(base.train, "train"), resolved(base.prior, "prior"))


def _check_run(run: Path, resume: bool, force: bool) -> None:
    """Refuse a folder that holds another training, and a resume of none.

    Raises:
        UsageError: naming the flag that mends it.
    """
    state = (run / "state.safetensors").exists()
    if (state or (run / "model.safetensors").exists()) and not (resume or force):
        raise UsageError(f"{run}: holds a training; --resume continues it, --force starts over.")
    if resume and not state:
        raise UsageError(f"{run}: holds no training to resume.")
    if run.exists() and not run.is_dir():
        raise UsageError(f"{run}: is a file; name a folder.")
