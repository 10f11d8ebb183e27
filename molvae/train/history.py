"""One row per epoch: log.csv, and the same for TensorBoard."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from molvae.errors import UsageError
from molvae.files.atomic import write_atomically

CLOCK = ("molecules_per_second", "seconds")  # columns that no two trainings share


class Epoch(NamedTuple):
    """The figures of an epoch; losses in nats per molecule, training ones averaged over the epoch.

    `validation_*` are of the averaged weights, each molecule's code drawn once from its posterior.
    """

    epoch: int
    step: int
    reconstruction: float
    kl: float
    property_error: float
    beta: float
    learning_rate: float
    validation_reconstruction: float
    validation_kl: float
    validation_property_error: float
    validation_loss: float
    molecules_per_second: float
    seconds: float

    def timeless(self) -> dict[str, float]:
        """Return all figures but the times: they are the same for the same training."""
        return {name: value for name, value in self._asdict().items() if name not in CLOCK}


def write_log(path: Path, epochs: Sequence[Epoch]) -> None:
    """Write all epochs so far to `path`, atomically."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Epoch._fields)
    writer.writerows(
        [f"{value:.6g}" if isinstance(value, float) else value for value in row] for row in epochs
    )
    write_atomically(path, text.getvalue().encode())


def require_tensorboard() -> None:
    """Check that TensorBoard is installed.

    Raises:
        UsageError: with the command that installs it.
    """
    if find_spec("tensorboard") is None:
        raise UsageError("--tensorboard needs an extra: pip install 'molvae[tensorboard]'")


def remove_events(folder: Path) -> None:
    """Remove the event files of earlier trainings."""
    for old in folder.glob("events.out.tfevents.*"):
        old.unlink(missing_ok=True)


@contextmanager
def events(folder: Path, log: Sequence[Epoch]) -> Iterator[Callable[[Epoch], None]]:
    """Write epochs to a folder that TensorBoard shows, those of `log` first.

    Event files of an older training, or of this one before an interruption, are replaced: each
    epoch is there once.

    Yields:
        A function that adds one epoch.
    """
    from torch.utils.tensorboard import SummaryWriter

    remove_events(folder)
    writer = SummaryWriter(str(folder))

    def add(epoch: Epoch) -> None:
        for name, value in epoch._asdict().items():
            if name not in ("epoch", "step"):
                writer.add_scalar(name, value, epoch.step)
        writer.flush()

    try:
        for epoch in log:
            add(epoch)
        yield add
    finally:
        writer.close()
