"""The log once more, as TensorBoard reads it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from molvae.errors import UsageError
from molvae.train.history import Epoch


def require_tensorboard() -> None:
    """Refuse where TensorBoard is not installed.

    Raises:
        UsageError: with the command that installs it.
    """
    if find_spec("tensorboard") is None:
        raise UsageError("--tensorboard needs an extra: pip install 'molvae[tensorboard]'")


def remove_events(folder: Path) -> None:
    """Remove what was written for TensorBoard before, if anything."""
    for old in folder.glob("events.out.tfevents.*"):
        old.unlink(missing_ok=True)


@contextmanager
def events(folder: Path, log: Sequence[Epoch]) -> Iterator[Callable[[Epoch], None]]:
    """Write epochs to a folder that TensorBoard shows, those of `log` first.

    The log is the truth and short. So an older training's events, and this one's own after an
    interruption, are replaced rather than continued: none is there twice, none is missing.

    Yields:
        What adds one epoch.
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
