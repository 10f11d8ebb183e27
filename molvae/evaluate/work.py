"""Workers, device and progress of an evaluation."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from molvae.parallel.workers import Jobs, map_chunks

Progress = Callable[[str, int, int], object]  # stage, molecules done, molecules in all


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

    def report(self, stage: str, done: int, total: int) -> None:
        """Report the progress of a stage."""
        if self.progress is not None:
            self.progress(stage, done, total)

    def apply(
        self,
        stage: str,
        function: Callable[[list[Any]], Sequence[Any]],
        items: Sequence[Any],
        *,
        chunk_size: int = 256,
        timeout: float = 60.0,
    ) -> Iterator[Any]:
        """Apply a function of lists in the workers, and yield the result of each item, or `Lost`.

        The arguments are those of `map_chunks`; each item is reported.
        """
        found = map_chunks(function, items, jobs=self.jobs, chunk_size=chunk_size, timeout=timeout)
        for done, (_, result) in enumerate(found, start=1):
            self.report(stage, done, len(items))
            yield result


HERE = Work()  # without workers and progress
