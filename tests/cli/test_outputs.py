import os
import subprocess
import sys
from pathlib import Path

import pytest

from molvae.cli.overwriting import check_output
from molvae.errors import UsageError

AS_NOBODY = """
import os, sys
from pathlib import Path
from molvae.cli.overwriting import check_output
from molvae.errors import UsageError

if os.geteuid() == 0:  # to whom no folder is read-only
    os.setuid(65534)
try:
    check_output(Path(sys.argv[1]), force=True)
except UsageError as error:
    print(error)
"""


def test_existing_file_needs_force(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    check_output(path, force=False)
    path.write_text("kept")
    check_output(path, force=True)
    with pytest.raises(UsageError, match=r"a\.csv: exists; --force overwrites it"):
        check_output(path, force=False)
    assert path.read_text() == "kept"


def test_folder_is_no_file(tmp_path: Path) -> None:
    for force in (False, True):
        with pytest.raises(UsageError, match="is a folder; name a file in it"):
            check_output(tmp_path, force=force)


def test_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="none: no such folder, or no right to write there"):
        check_output(tmp_path / "none" / "a.csv", force=True)


def test_folder_without_the_right_to_write_is_named() -> None:
    path = Path("/") / "a.csv"
    command = [sys.executable, "-c", AS_NOBODY, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "/: no such folder, or no right to write there.\n"


def test_device_or_pipe_needs_no_force(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (Path(os.devnull), tmp_path / "pipe"):
        check_output(path, force=False)


def test_link_in_a_circle_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.symlink_to(path)
    check_output(path, force=True, inputs=(tmp_path / "b.csv",))


@pytest.mark.parametrize("name", ["a" * 246 + ".csv", "ü" * 123 + ".csv", "- .csv", "a\nb.csv"])
def test_any_file_name_will_do(name: str, tmp_path: Path) -> None:
    check_output(tmp_path / name, force=False)
