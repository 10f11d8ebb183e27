import errno
import os
import resource
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from typing import BinaryIO

import pytest

from molvae.errors import ArtifactError, MolvaeError
from molvae.files import atomic
from tests.files.limits import limited


@contextmanager
def unprivileged() -> Iterator[None]:
    """Be nobody for a while: no folder is read-only to the superuser."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("function", ["fsync", "replace"])
@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()]
)
def test_failure_at_any_point_keeps_the_old_file_and_leaves_nothing(
    function: str, error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    atomic.write_atomically(path, b"old")

    def fail(*arguments: object, **more: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(os, function, fail)
        expected = MolvaeError if isinstance(error, OSError) else KeyboardInterrupt
        with pytest.raises(expected) as caught:
            atomic.write_atomically(path, b"new" * 2**20)
    if isinstance(error, OSError):
        assert str(path) in str(caught.value)
        assert "3.0 MiB could not be written: No space left" in str(caught.value)
        assert "unchanged" in str(caught.value)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_full_disk_names_the_file_and_what_is_needed_and_free(tmp_path: Path) -> None:
    path = tmp_path / "a"
    atomic.write_atomically(path, b"old")
    words = r"a: 3\.0 MiB could not be written: File too large; [\d,]+\.\d MiB are free\. What was"
    with limited(resource.RLIMIT_FSIZE, 2**20):
        with pytest.raises(MolvaeError, match=words):
            atomic.write_atomically(path, b"new" * 2**20)
        words = words.replace(r"3\.0", r"1\.\d")  # so far: the rest is not known
        with pytest.raises(MolvaeError, match=words), atomic.replacing(path) as file:
            file.writelines(repeat(b"line\n"))
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def bad_rows() -> Iterator[bytes]:
    yield b"a good row\n"
    raise ArtifactError("row 7")


def test_what_goes_wrong_while_writing_keeps_its_name(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with pytest.raises(FileNotFoundError, match="input"), atomic.replacing(path) as file:
        file.write((tmp_path / "input").read_bytes())
    with pytest.raises(ArtifactError, match="row 7"), atomic.replacing(path) as file:
        file.writelines(bad_rows())
    assert os.listdir(tmp_path) == []


def test_nothing_shows_before_the_block_ends_and_writers_share_no_temporary(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with atomic.replacing(path) as one:
        one.write(b"one")
        one.flush()
        assert path.read_bytes() == b"old"
        with atomic.replacing(path) as two:  # nor does it sweep away the one that is alive
            two.write(b"two")
            assert len(os.listdir(tmp_path)) == 3
        assert path.read_bytes() == b"two"
    assert path.read_bytes() == b"one"
    assert os.listdir(tmp_path) == ["a"]


def test_next_writing_removes_what_a_killed_one_left_and_nothing_else(tmp_path: Path) -> None:
    path, left = tmp_path / "a.csv", f".a.csv.0{atomic.UNFINISHED}"
    others = [".a.csv", ".a.csv.txt", f".b.csv.0{atomic.UNFINISHED}", "a.csv.0", f"a{left}"]
    for name in (left, *others):
        (tmp_path / name).write_bytes(b"half")
    os.mkfifo(tmp_path / f".a.csv.1{atomic.UNFINISHED}")
    (tmp_path / f".a.csv.2{atomic.UNFINISHED}").symlink_to(others[0])
    kept = set(os.listdir(tmp_path)) - {left}
    atomic.write_atomically(path, b"x")
    assert set(os.listdir(tmp_path)) == kept | {"a.csv"}


def test_temporary_swept_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept = []
    lock = atomic._lock

    def late(file: BinaryIO, *, wait: bool) -> None:
        if wait and not swept:
            swept.append(file.name)
            os.unlink(file.name)
        lock(file, wait=wait)

    monkeypatch.setattr(atomic, "_lock", late)
    atomic.write_atomically(tmp_path / "a", b"x")
    assert len(swept) == 1
    assert (tmp_path / "a").read_bytes() == b"x"


@pytest.mark.parametrize("name", ["a" * 250, "ü" * 125, "\N{TEST TUBE}" * 62, "-n", "a b\n"])
def test_any_file_name_that_the_system_takes(name: str, tmp_path: Path) -> None:
    for content in (b"x", b"y"):
        atomic.write_atomically(tmp_path / name, content)
    assert (tmp_path / name).read_bytes() == b"y"
    assert os.listdir(tmp_path) == [name]


def test_a_hidden_file_has_a_name_that_fits_and_belongs_to_one_file(tmp_path: Path) -> None:
    usual = atomic.hidden_beside(tmp_path / "a.molvae", ".unfinished")
    assert usual == tmp_path / ".a.molvae.unfinished"
    names = {atomic.hidden_beside(tmp_path / (f"{'ü' * 120}{n}"), ".unfinished") for n in range(9)}
    assert len(names) == 9
    for place in names:
        place.touch()


def test_new_file_has_the_rights_of_any_new_file_and_a_replaced_one_keeps_its_own(
    tmp_path: Path,
) -> None:
    (tmp_path / "plain").write_bytes(b"")
    path = tmp_path / "a"
    atomic.write_atomically(path, b"x")
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
    path.chmod(0o600)
    atomic.write_atomically(path, b"y")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_link_goes_on_pointing_where_it_does(tmp_path: Path) -> None:
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
    link, target = tmp_path / "here" / "a", tmp_path / "there" / "b"
    link.symlink_to(Path("..") / "there" / "b")
    for content in (b"made", b"replaced"):
        atomic.write_atomically(link, content)
        assert target.read_bytes() == content
    assert link.is_symlink()
    assert (os.listdir(link.parent), os.listdir(target.parent)) == (["a"], ["b"])


def test_device_and_pipe_are_written_to_directly(tmp_path: Path) -> None:
    atomic.write_atomically(Path(os.devnull), b"x")
    assert not Path(os.devnull).is_file()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    atomic.write_atomically(pipe, b"x")
    assert os.read(reader, 9) == b"x"
    os.close(reader)
    assert os.listdir(tmp_path) == ["pipe"]


no_full_device = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


@pytest.mark.parametrize(
    ("place", "words"),
    [
        pytest.param("/dev/full", "/dev/full: cannot be .* No space left", marks=no_full_device),
        *(("none/a", "none/a: cannot be written"), ("file/a", "file/a: cannot be written")),
        (".", "a folder, where a file is to be written"),
    ],
)
def test_place_that_cannot_be_written_to_is_named(place: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(MolvaeError, match=words):
        atomic.write_atomically(tmp_path / place, b"x")


def test_read_only_folder_is_named_and_keeps_what_it_has() -> None:
    with tempfile.TemporaryDirectory() as folder:  # where nobody can go, unlike pytest's
        path = Path(folder) / "a"
        path.write_bytes(b"old")
        os.chmod(folder, 0o555)
        words = "a: cannot be written: Permission denied"
        with unprivileged(), pytest.raises(MolvaeError, match=words):
            atomic.write_atomically(path, b"x")
        assert path.read_bytes() == b"old"
        os.chmod(folder, 0o755)
