"""Results that grow by one measured part after the other: what is measured already stays."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from molvae.files.atomic import write_atomically


def read_result(path: Path) -> dict[str, Any]:
    """Return what is measured already."""
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def keep_result(path: Path, name: str, part: Any) -> None:
    """Put a part beside those that are measured already, or in the place of an older one."""
    found = read_result(path) | {name: part}
    write_atomically(path, f"{json.dumps(found, indent=1)}\n".encode())


def keep_table(path: Path, lines: Iterable[str]) -> None:
    """Put a result's lines of Markdown beside it."""
    write_atomically(path.with_suffix(".md"), "\n".join([*lines, ""]).encode())
