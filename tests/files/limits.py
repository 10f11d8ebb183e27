import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def limited(kind: int, size: int) -> Iterator[None]:
    """Lower one limit of this process: to the size of files, it is a disk that is full."""
    before = resource.getrlimit(kind)
    resource.setrlimit(kind, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(kind, before)
