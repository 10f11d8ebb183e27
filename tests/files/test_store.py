import json
import os
import resource
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from molvae.errors import ArtifactError, MolvaeError
from molvae.files import store
from tests.files.limits import limited

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


def framed(text: bytes, length: int | None = None) -> bytes:
    """Return a text behind its length, or behind another one."""
    return (len(text) if length is None else length).to_bytes(8, "little") + text


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


def test_the_content_of_a_file_tells_its_kind(tmp_path: Path) -> None:
    write(tmp_path / "dataset.csv")
    (tmp_path / "table.safetensors").write_text("smiles\nCCO\n")
    assert store.find_kind(tmp_path / "dataset.csv") == "dataset"
    for name in ("table.safetensors", "missing", "."):
        assert store.find_kind(tmp_path / name) is None
    (tmp_path / "foreign").write_bytes(safetensors.numpy.save({"x": np.ones(3)}))
    with pytest.raises(ArtifactError, match="not a molvae file"):
        store.find_kind(tmp_path / "foreign")


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


def test_every_flipped_byte_and_every_truncation_is_refused(tmp_path: Path) -> None:
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
        path.write_bytes(content[:position])
        with pytest.raises(ArtifactError, match=r"damaged|not a molvae"):
            store.read(path, kind="dataset", format=1)
    path.write_bytes(content + b"x")
    with pytest.raises(ArtifactError, match="damaged"):
        store.read(path, kind="dataset", format=1)


def headed(ours: str) -> bytes:
    """Return a file with this text where ours stands."""
    return framed(json.dumps({"__metadata__": {"molvae": ours}}).encode())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"smiles,logp\nCCO,-0.1\n",
        b"\x80\x04\x95" + bytes(100),  # a pickle
        b"PK\x03\x04" + bytes(100),  # a zip file, as torch.save writes it
        b"\xff" * 64,
        framed(b"{}", 2**62),
        *map(framed, (b"{}", b"[]", b"null", b"[" * 20_000)),
        *map(framed, (b'{"__metadata__":null}', b'{"__metadata__":{}}')),
        *(framed(b'{"__metadata__":{"molvae":%s}}' % ours) for ours in (b"null", b'""', b'"[]"')),
        headed('{"header": {"kind": "dataset", "format": 1}}'),
        headed('{"header": {"kind": "dataset", "format": 1}, "sha256": 3}'),
        headed('{"header": [], "sha256": ""}'),
        headed('{"header": ' + "[" * 20_000),
        headed('{"header": [' + "[]," * 250_000 + "1]}"),
        headed("x" * 9 * 2**20),
    ],
)
def test_what_is_none_of_ours_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"molvae|damaged"):
        store.read(path, kind="dataset", format=1)
    with pytest.raises(ArtifactError, match=r"not a molvae file|damaged"):
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


def test_file_replaced_while_it_is_read_is_no_damage(tmp_path: Path) -> None:
    write(tmp_path / "a")
    looked = store.look(tmp_path / "a", kind="dataset", format=1)
    store.write(tmp_path / "a", {}, {}, kind="dataset", format=1)
    with pytest.raises(ArtifactError, match="was replaced while it was read; try again"):
        store.load(looked)


def test_what_is_declared_is_told_without_reading_it(tmp_path: Path) -> None:
    write(tmp_path / "a")
    layout = store.look(tmp_path / "a", kind="dataset", format=1).layout
    assert layout["weights"] == ("F32", (3, 4, 5))
    assert {name: shape for name, (_, shape) in layout.items()} == {
        name: array.shape for name, array in ARRAYS.items()
    }


def test_header_that_no_reader_would_take_is_not_written(tmp_path: Path) -> None:
    for log in ("x" * 9 * 2**20, [[]] * 250_000):
        with pytest.raises(MolvaeError, match=r"a: not written: its header of \d\.\d MiB"):
            store.write(tmp_path / "a", {}, {"log": log}, kind="dataset", format=1)
    assert not (tmp_path / "a").exists()


def test_header_of_numbers_as_keys_is_read_again(tmp_path: Path) -> None:
    store.write(tmp_path / "a", {}, {"counts": {2: 1, 10: 1}}, kind="dataset", format=1)
    _, header = store.read(tmp_path / "a", kind="dataset", format=1)
    assert header["counts"] == {"2": 1, "10": 1}


def declaring(*entries: str) -> bytes:
    """Return a file of ours, of no content, that declares these arrays besides."""
    ours = {"header": {"kind": "dataset", "format": 1}, "sha256": "0" * 64}
    metadata = json.dumps({"molvae": json.dumps(ours, sort_keys=True)})
    return framed(("{" + ",".join([f'"__metadata__":{metadata}', *entries]) + "}").encode()) + b"ab"


def entry(shape: str, end: int = 2, *, begin: int = 0, kind: str = "U8", name: str = "a") -> str:
    """Return the declaration of an array."""
    layout = f'"dtype":"{kind}","shape":{shape},"data_offsets":[{begin},{end}]'
    return f'"{name}":{{{layout}}}'


ENTRY = entry("[2]")


@pytest.mark.parametrize(
    "entries",
    [
        (ENTRY, ENTRY),  # twice the same, which safetensors takes
        (ENTRY, entry("[2]", name="b")),  # two arrays in one place
        (entry("[1]", begin=1),),  # a gap
        *[(entry("[4398046511104]", end),) for end in (2, 4398046511104)],
        *[(entry("[2]", end, begin=begin),) for begin, end in ((0, 3), (2, 0))],
        *[(entry(shape),) for shape in ("[2.0]", "[-2]", "[NaN]", '"2"', f"[{'9' * 5000}]")],
        (entry("[" * 900 + "]" * 900),),
        (entry("[4611686018427387904,8]", kind="F64"),),
        (entry("[4611686018427387904,0,8]", 0),),
        *[(entry("[2]", name=name),) for name in ("\\ud800", "a\\u0000b\\u001b")],
        (ENTRY.replace('"U8"', "8"),),
        *[('"a":{"dtype":"U8","shape":[2]}',), ('"a":[]',)],
    ],
)
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="looks at /proc")
def test_what_a_header_declares_is_not_believed(entries: tuple[str, ...], tmp_path: Path) -> None:
    """All but the digest could be right: `declaring(ENTRY)` is a file that safetensors reads."""
    (tmp_path / "a").write_bytes(declaring(*entries))
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    with limited(resource.RLIMIT_AS, used + 2**28):  # 256 MiB more, not the 4 TiB of some
        with pytest.raises(ArtifactError, match=r"damaged|not a molvae file"):
            store.read(tmp_path / "a", kind="dataset", format=1)


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
    for kind in ("BF16", "F8_E4M3", "XYZ"):
        (tmp_path / "a").write_bytes(declaring(entry("[2]", 4, kind=kind)) + b"cd")
        with pytest.raises(ArtifactError, match="damaged"):
            store.read(tmp_path / "a", kind="dataset", format=1)
