import errno
import json
import os
import stat
import tempfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from molvae import store
from molvae.errors import ArtifactError, MolvaeError

ARRAYS = {
    "weights": np.linspace(-1, 1, 60, dtype=np.float32).reshape(3, 4, 5),
    "halves": np.ones(3, dtype=np.float16),
    "ids": np.arange(7, dtype=np.uint16),
    "hashes": np.array([2**63 + 1], dtype=np.uint64),
    "none": np.empty((0, 4)),
}
HEADER = {"symbols": ["[C]", "[=N+1]"], "names": "größe", "numbers": {"a": [1, 0.1, None]}}


def write(path: Path, *, kind: str = "dataset", format: int = 1) -> str:
    return store.write(path, ARRAYS, HEADER, kind=kind, format=format)


def foreign(path: Path, metadata: dict[str, str] | None) -> Path:
    path.write_bytes(safetensors.numpy.save({"x": np.ones(3)}, metadata=metadata))
    return path


def test_arrays_and_header_come_back_as_they_were(tmp_path: Path) -> None:
    sha256 = write(tmp_path / "a")
    arrays, header = store.read(tmp_path / "a", kind="dataset", format=1)
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array)
    assert header == {**HEADER, "kind": "dataset", "format": 1}
    assert store.read_header(tmp_path / "a", kind="dataset", format=1) == header
    assert store.read_kind(tmp_path / "a") == "dataset"
    assert store.read_sha256(tmp_path / "a") == sha256


def test_same_content_is_the_same_file(tmp_path: Path) -> None:
    assert write(tmp_path / "a") == write(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_digest_tells_any_difference() -> None:
    plain = {"a": np.zeros((2, 3), dtype=np.float32)}
    others = [
        {"b": plain["a"]},
        {"a": np.zeros((3, 2), dtype=np.float32)},
        {"a": np.zeros((2, 3), dtype=np.int32)},
        {"a": np.full((2, 3), 1e-30, dtype=np.float32)},
        {"a": -plain["a"]},  # minus zero
        {},
    ]
    digests = {store.digest(arrays, {}) for arrays in [plain, *others]}
    assert len(digests) == 1 + len(others)
    assert store.digest(plain, {"x": 1}) not in digests
    transposed = {"a": np.zeros((3, 2), dtype=np.float32).T}
    assert store.digest(transposed, {}) == store.digest(plain, {})


def test_any_safetensors_reader_can_open_it(tmp_path: Path) -> None:
    write(tmp_path / "a")
    arrays = safetensors.numpy.load_file(tmp_path / "a")
    np.testing.assert_array_equal(arrays["weights"], ARRAYS["weights"])


def test_every_flipped_byte_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write(path)
    content = path.read_bytes()
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 0xFF
        path.write_bytes(damaged)
        with pytest.raises(ArtifactError) as caught:
            store.read(path, kind="dataset", format=1)
        assert str(path) in str(caught.value), position


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write(path)
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(ArtifactError, match=r"damaged|not a molvae"):
            store.read(path, kind="dataset", format=1)
    path.write_bytes(content + b"x")
    with pytest.raises(ArtifactError, match="damaged"):
        store.read(path, kind="dataset", format=1)


def headed(ours: str) -> bytes:
    """Return a file with this text where ours stands."""
    text = json.dumps({"__metadata__": {"molvae": ours}}).encode()
    return len(text).to_bytes(8, "little") + text


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"smiles,logp\nCCO,-0.1\n",
        b"\x80\x04\x95" + bytes(100),  # a pickle
        b"PK\x03\x04" + bytes(100),  # a zip file, as torch.save writes it
        b"\xff" * 64,
        (2**62).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"[]",
        (4).to_bytes(8, "little") + b"null",
        (20_000).to_bytes(8, "little") + b"[" * 20_000,
        (21).to_bytes(8, "little") + b'{"__metadata__":null}',
        (19).to_bytes(8, "little") + b'{"__metadata__":{}}',
        (32).to_bytes(8, "little") + b'{"__metadata__":{"molvae":null}}',
        (30).to_bytes(8, "little") + b'{"__metadata__":{"molvae":""}}',
        (32).to_bytes(8, "little") + b'{"__metadata__":{"molvae":"[]"}}',
        headed('{"header": {"kind": "dataset", "format": 1}}'),
        headed('{"header": {"kind": "dataset", "format": 1}, "sha256": 3}'),
        headed('{"header": [], "sha256": ""}'),
        headed('{"header": ' + "[" * 20_000),
    ],
)
def test_what_is_none_of_ours_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="molvae"):
        store.read(path, kind="dataset", format=1)
    with pytest.raises(ArtifactError, match="not a molvae file"):
        store.read_kind(path)


def test_foreign_safetensors_is_refused(tmp_path: Path) -> None:
    for metadata in (None, {"format": "pt"}, {"molvae": "{}"}):
        with pytest.raises(ArtifactError):
            store.read(foreign(tmp_path / "a", metadata), kind="dataset", format=1)


def test_missing_files_folders_and_pipes_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, words in (
        (tmp_path / "none", "No such file"),
        (tmp_path, "a folder or a pipe"),
        (tmp_path / "pipe", "a folder or a pipe"),
    ):
        with pytest.raises(ArtifactError, match=words) as caught:
            store.read(path, kind="dataset", format=1)
        assert str(path) in str(caught.value)


def test_another_kind_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a", kind="checkpoint")
    with pytest.raises(ArtifactError, match="a molvae checkpoint, where a dataset is expected"):
        store.read(tmp_path / "a", kind="dataset", format=1)


def test_newer_format_is_refused_and_older_one_read(tmp_path: Path) -> None:
    write(tmp_path / "a", format=3)
    with pytest.raises(ArtifactError, match="by format 3, this molvae reads up to 2"):
        store.read(tmp_path / "a", kind="dataset", format=2)
    store.read(tmp_path / "a", kind="dataset", format=4)


@pytest.mark.parametrize("version", [0, -1, "1", None, 1.5])
def test_format_that_is_no_number_is_refused(version: object, tmp_path: Path) -> None:
    ours = {"header": {"kind": "dataset", "format": version}, "sha256": ""}
    path = foreign(tmp_path / "a", {"molvae": json.dumps(ours)})
    with pytest.raises(ArtifactError, match="its format is"):
        store.read(path, kind="dataset", format=2)


def test_array_type_that_numpy_lacks_is_refused(tmp_path: Path) -> None:
    """A file with a type such as BF16 opens in another library, and is still none of ours."""
    ours = {"header": {"kind": "dataset", "format": 1}, "sha256": ""}
    metadata = {"molvae": json.dumps(ours)}
    for kind in ("BF16", "F8_E4M3", "XYZ"):
        layout = {
            "__metadata__": metadata,
            "x": {"dtype": kind, "shape": [2], "data_offsets": [0, 4]},
        }
        text = json.dumps(layout).encode()
        (tmp_path / "a").write_bytes(len(text).to_bytes(8, "little") + text + bytes(4))
        with pytest.raises(ArtifactError, match="damaged"):
            store.read(tmp_path / "a", kind="dataset", format=1)


@pytest.mark.parametrize("function", ["fdopen", "fsync", "chmod", "replace"])
@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()]
)
def test_failure_at_any_point_keeps_the_old_file_and_leaves_nothing(
    function: str, error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    store.write_atomically(path, b"old")

    def fail(*arguments: object, **more: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(os, function, fail)
        expected = MolvaeError if isinstance(error, OSError) else KeyboardInterrupt
        with pytest.raises(expected) as caught:
            store.write_atomically(path, b"new" * 2**20)
    if isinstance(error, OSError):
        assert str(path) in str(caught.value)
        assert "3.0 MiB could not be written: No space left" in str(caught.value)
        assert "unchanged" in str(caught.value)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_writers_of_one_file_do_not_share_a_temporary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = []
    replace = os.replace

    def spy(source: str, target: Path) -> None:
        names.append(source)
        replace(source, target)

    monkeypatch.setattr(os, "replace", spy)
    for content in (b"one", b"two"):
        store.write_atomically(tmp_path / "a", content)
    assert len(set(names)) == 2
    assert {Path(name).parent for name in names} == {tmp_path}
    assert (tmp_path / "a").read_bytes() == b"two"


@pytest.mark.parametrize("name", ["a" * 250, "ü" * 125, "\N{TEST TUBE}" * 62, "-n", "a b\n"])
def test_any_file_name_that_the_system_takes(name: str, tmp_path: Path) -> None:
    store.write_atomically(tmp_path / name, b"x")
    assert (tmp_path / name).read_bytes() == b"x"


def test_new_file_has_the_rights_that_any_new_file_has(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    store.write_atomically(tmp_path / "a", b"x")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "a")}
    assert len(modes) == 1


def test_place_that_cannot_be_written_to_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "none" / "a", tmp_path / "file" / "a"):
        with pytest.raises(MolvaeError, match="cannot be written") as caught:
            store.write_atomically(path, b"x")
        assert str(path) in str(caught.value)
    with pytest.raises(MolvaeError, match="a folder or a device"):
        store.write_atomically(tmp_path, b"x")  # a folder

    def refuse(*arguments: object, **more: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(tempfile, "mkstemp", refuse)  # a read-only folder is none to the superuser
    with pytest.raises(MolvaeError, match="a: cannot be written: Permission denied"):
        store.write_atomically(tmp_path / "a", b"x")
