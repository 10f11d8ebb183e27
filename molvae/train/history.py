"""One row per epoch: log.csv."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from molvae.files.store import write_atomically

CLOCK = ("molecules_per_second", "seconds")  # columns that no two trainings share


class Epoch(NamedTuple):
    """What one epoch came to; losses in nats per molecule, training ones averaged over the epoch.

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
        """Return all but what the clock said: the same for the same training."""
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
