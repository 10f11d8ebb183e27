"""What the commands that draw or read molecules need: a model, and processes for the chemistry."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from molvae.cli.options import config_from
from molvae.cli.terminal import say
from molvae.config import DrawSettings, GenerateConfig
from molvae.errors import UsageError

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from molvae.generation.results import Control, Summary
    from molvae.generator import MoleculeGenerator
    from molvae.parallel.workers import Jobs
    from molvae.targets import Request

SMALL = 200  # molecules: fewer are measured sooner than worker processes start


def load(model: str, device: str) -> "MoleculeGenerator":
    """Load a model: a file, a run folder, or the name of a bundled one."""
    import torch

    from molvae.generator import MoleculeGenerator
    from molvae.model.device import choose_device

    # Small matrix products: a second thread costs more than it brings, and the other cores are
    # for the chemistry. One thread also makes the sums the same everywhere.
    torch.set_num_threads(1)
    return MoleculeGenerator.load(model, device=choose_device(device))


def title(model: str) -> str:
    """Name a model for people: of `my-run/model.safetensors` that is `my-run`."""
    path = Path(model).resolve()
    return path.parent.name if path.name == "model.safetensors" else path.name.partition(".")[0]


def draw_settings(generator: "MoleculeGenerator", settings: Mapping[str, Any]) -> DrawSettings:
    """Return the model's defaults with the options that the user gave.

    A noise level that is given brings a temperature of its own, as `LoadedModel.settings` has it:
    the model's own is for the model's own level.
    """
    unsaid = replace(generator.defaults, noise=None, temperature=None)
    return generator.model.settings(config_from(GenerateConfig, settings, base=unsaid))


def warn_of_targets(
    request: "Request",
    *,
    quiet: bool,
    so: str = "",
    of: str = "",
) -> None:
    """Say which targets lie outside what the model was trained on.

    Args:
        request: what is asked.
        quiet: say nothing.
        so: what follows from it besides.
        of: what has these properties, where they are not asked for.
    """
    from molvae.targets import format_range

    normalizer = request.normalizer
    for name in request.unfamiliar:
        column = normalizer.names.index(name)
        say(
            f"Warning: {of}{name}={format_range(request.ranges[name])} lies outside the model's"
            f" training range {normalizer.low[column]:.3g}..{normalizer.high[column]:.3g}; the"
            f" nearest value there is used{so}.",
            quiet=quiet,
        )


def control_lines(
    generator: "MoleculeGenerator", controls: Mapping[str, "Control"]
) -> Iterator[str]:
    """Yield asked against got in words, a property a line.

    What the model itself reads off its molecules is no measurement: how far such readings are from
    the truth stands beside it.
    """
    from molvae.generation.predict import stated_errors

    stated = stated_errors(generator.model)
    for name, control in controls.items():
        got = f"mean {control.mean:.3g}, mean error {control.mae:.3g} ({control.mae_scaled:.2f} sd)"
        hit = f"hit {control.hit_rate:.0%}"
        if name in generator.measured:
            yield f"{name}: {got}, {hit}"
            continue
        of_class, told = name in generator.normalizer.classes, stated.get(name, {})
        known = told.get("accuracy" if of_class else "mae")
        error = "its error is not known"
        if known is not None:
            error = f"right on {known:.0%} of" if of_class else f"mean error {known:.3g} on"
            error += f" {held_out(told)}"
        read = hit if of_class else f"{got}, {hit}"
        yield f"{name}: {read}, as the model itself predicts ({error})"


def similarities(tanimoto: Iterable[float]) -> str:
    """Say how similar some molecules, at least one, are to those that they were made of."""
    ordered = sorted(tanimoto)
    middle = ordered[len(ordered) // 2]
    return f"similarity {ordered[0]:.2f} to {ordered[-1]:.2f}, median {middle:.2f}"


def refused(summary: "Summary") -> str:
    """Say how many draws were refused and why, the commonest reason first."""
    return ", ".join(f"{count} {reason}" for reason, count in summary.refusals.items()) or "none"


def too_few_near(summary: "Summary", what: str) -> str:
    """Say that too few molecules were found around given ones, and what to turn."""
    commonest = next(iter(summary.refusals), "")
    radius = "larger" if commonest in ("duplicate", "excluded") else "smaller"
    return (
        f"{summary.found} of {summary.requested} {what} were found; the rest were refused"
        f" ({refused(summary)}). A {radius} --radius or a larger --max-tries finds more."
    )


def held_out(told: Mapping[str, float | None]) -> str:
    """Name the molecules that a stated error is of."""
    return f"{told['molecules']:,.0f} held-out molecules"


@contextmanager
def workers(
    jobs: int | None, executor: str | None, *, packages: Sequence[str] = ()
) -> Iterator["Jobs"]:
    """Give what `--jobs` or `--executor` asks for, as what fans work out takes it.

    Args:
        jobs: worker processes of this machine; None for one on each core.
        executor: the address of a Dask scheduler.
        packages: those that must be the same on its workers, besides what chemistry needs.

    Raises:
        UsageError: for both at once.
    """
    if executor is None:
        yield jobs or os.cpu_count() or 1
        return
    if jobs is not None:
        raise UsageError("--jobs and --executor: the workers are here or there; give one of them.")
    from molvae.parallel.executors import PACKAGES, dask_executor

    with dask_executor(executor, packages=(*PACKAGES, *packages)) as found:
        yield found


@contextmanager
def chemists(n: int, jobs: int | None, executor: str | None = None) -> Iterator["Executor | None"]:
    """Give workers for the chemistry of `n` molecules: of this machine, when it is enough work."""
    if executor is None and n < SMALL:
        yield None
        return
    from molvae.parallel.executors import process_pool

    with workers(jobs, executor) as found:
        if not isinstance(found, int):
            yield found
            return
        with process_pool(found, module="molvae.chem.candidates") as pool:
            yield pool
