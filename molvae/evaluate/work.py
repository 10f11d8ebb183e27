"""Workers, device and progress of an evaluation."""

from collections.abc import Callable
from typing import NamedTuple

from molvae.parallel.workers import Jobs

Progress = Callable[[str, int, int], object]  # stage, molecules done, molecules in all
Tick = Callable[[], object]  # called once for each molecule that is done


class Work(NamedTuple):
    """Workers, device and progress; they change no result.

    Attributes:
        jobs: worker processes, or an executor; 0 works in this one.
        device: of ChemNet: "cpu", "cuda", "cuda:1".
        progress: called with a stage, and its molecules done and in all.
    """

    jobs: Jobs = 0
    device: str = "cpu"
    progress: Progress | None = None

    def ticker(self, stage: str, total: int, *, begun: int = 0) -> Tick | None:
        """Return a function that counts and reports the molecules of a stage, if needed."""
        if self.progress is None:
            return None
        report, done = self.progress, begun

        def tick() -> None:
            nonlocal done
            done += 1
            report(stage, done, total)

        return tick
