"""Public sets of molecules: their contents, addresses, sizes and checksums.

The addresses come from the authors. Sizes and checksums come from the repository of the file (Git
LFS pointers, git blobs), the authors' README, or the object store. We may not redistribute any of
the sets.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from molvae.errors import UsageError, did_you_mean
from molvae.files.cache import cache_folder
from molvae.files.checksums import Expected
from molvae.files.download import download

_MOSES = "https://media.githubusercontent.com/media/molecularsets/moses/master/data"
_CHEMICAL_VAE = "https://raw.githubusercontent.com/aspuru-guzik-group/chemical_vae/master/models"
_FIGSHARE = "https://ndownloader.figshare.com/files"
_MOLECULENET = "https://deepchemdata.s3-us-west-1.amazonaws.com/datasets"


class PublicFile(NamedTuple):
    """A table of a set.

    Attributes:
        name: for `molvae data get`.
        file: its name in the cache and on a mirror; the ending names the format.
        rows: number of molecules.
        address: of its authors.
        expected: size and checksum.
    """

    name: str
    file: str
    rows: int
    address: str
    expected: Expected


class PublicSet(NamedTuple):
    """A set with one citation.

    Attributes:
        name: for `molvae data get`; it means all files.
        title: a description.
        smiles_column: the column of SMILES; "" when the files have no header.
        license: of its authors or its source.
        doi: of the paper to cite.
        files: its tables.
    """

    name: str
    title: str
    smiles_column: str
    license: str
    doi: str
    files: tuple[PublicFile, ...]


SETS = (
    PublicSet(
        "moses",
        "MOSES: ZINC Clean Leads, neutral, without stereo",
        "SMILES",
        "MIT",
        "10.3389/fphar.2020.565644",
        (
            PublicFile(
                "moses-train",
                "moses_train.csv",
                1_584_663,
                f"{_MOSES}/train.csv",
                Expected(
                    67_916_778,
                    "sha256:49fe1aae29604ec0f5023ea34edc8789415f954138f2903dabd005a4b888a961",
                ),
            ),
            PublicFile(
                "moses-test",
                "moses_test.csv",
                176_074,
                f"{_MOSES}/test.csv",
                Expected(
                    7_370_473,
                    "sha256:257165e8f1e1be2d5712db51c93d2b1544564b782dc303d7d19c887c21a858e6",
                ),
            ),
            PublicFile(
                "moses-test-scaffolds",
                "moses_test_scaffolds.csv",
                176_225,
                f"{_MOSES}/test_scaffolds.csv",
                Expected(
                    9_195_363,
                    "sha256:8bc942dd807147e07b506151fe8675f58780ed8e494801b705c4bdadb3df3440",
                ),
            ),
        ),
    ),
    PublicSet(
        "guacamol",
        "GuacaMol: ChEMBL 24, standardized",
        "",
        "CC BY-SA 3.0 (ChEMBL)",
        "10.1021/acs.jcim.8b00839",
        (
            PublicFile(
                "guacamol-train",
                "guacamol_train.smi",
                1_273_104,
                f"{_FIGSHARE}/13612760",
                Expected(61_841_218, "md5:05ad85d871958a05c02ab51a4fde8530"),
            ),
            PublicFile(
                "guacamol-valid",
                "guacamol_valid.smi",
                79_568,
                f"{_FIGSHARE}/13612766",
                Expected(3_859_125, "md5:e53db4bff7dc4784123ae6df72e3b1f0"),
            ),
            PublicFile(
                "guacamol-test",
                "guacamol_test.smi",
                238_706,
                f"{_FIGSHARE}/13612757",
                Expected(11_590_126, "md5:677b757ccec4809febd83850b43e1616"),
            ),
        ),
    ),
    PublicSet(
        "zinc-250k",
        "drug-like molecules from ZINC, protonated, with stereo; logP, QED, SA",
        "smiles",
        "ZINC: no redistribution",
        "10.1021/acscentsci.7b00572",
        (
            PublicFile(
                "zinc-250k",
                "zinc_250k.csv",
                249_455,
                f"{_CHEMICAL_VAE}/zinc_properties/250k_rndm_zinc_drugs_clean_3.csv",
                Expected(22_606_589, "git:d31726bf929d35cb52fa109db90411c90a000dfe"),
            ),
        ),
    ),
    PublicSet(
        "esol",
        "ESOL: measured solubility in water, log mol/l",
        "smiles",
        "not stated",
        "10.1021/ci034243x",
        (
            PublicFile(
                "esol",
                "esol.csv",
                1_128,
                f"{_MOLECULENET}/delaney-processed.csv",
                Expected(
                    96_699,
                    "sha256:8c06a76f0c6487d29ab0f903e6a7a7139f189ab3c1178f159c8be8964602f189",
                ),
            ),
        ),
    ),
    PublicSet(
        "bace",
        "BACE: inhibition of beta-secretase 1, pIC50 and class",
        "mol",
        "not stated",
        "10.1021/acs.jcim.6b00290",
        (
            PublicFile(
                "bace",
                "bace.csv",
                1_513,
                f"{_MOLECULENET}/bace.csv",
                Expected(3_897_767, "md5:ba7f8fa3fdf463a811fa7edea8c982c2"),
            ),
        ),
    ),
    PublicSet(
        "hiv",
        "HIV: inhibition of HIV replication, class",
        "smiles",
        "not stated",
        "10.1039/C7SC02664A",
        (
            PublicFile(
                "hiv",
                "hiv.csv",
                41_127,
                f"{_MOLECULENET}/HIV.csv",
                Expected(2_193_844, "md5:9ad10c88f82f1dac7eb5c52b668c30a7"),
            ),
        ),
    ),
)


def named(name: str) -> tuple[PublicFile, ...]:
    """Return the files of a name: all files of a set, or one file.

    Raises:
        UsageError: for an unknown name, with the nearest known one.
    """
    known = {one.name: one.files for one in SETS}
    for one in SETS:
        for file in one.files:
            known.setdefault(file.name, (file,))
    if name.lower() not in known:
        raise UsageError(
            f"no public set is named '{name}'{did_you_mean(name, known) or '.'}"
            " molvae data list shows all."
        )
    return known[name.lower()]


def cached(file: PublicFile) -> Path | None:
    """Return the path of a file in the cache, None when it is not there or has another size."""
    path = place(file)
    right = path.is_file() and path.stat().st_size == file.expected.size
    return path if right else None


def place(file: PublicFile) -> Path:
    """Return the path that a file has or will have in the cache."""
    return cache_folder("datasets") / file.file


def get(
    file: PublicFile,
    *,
    mirror: str = "",
    progress: Callable[[int], None] = lambda done: None,
    notify: Callable[[str], None] = lambda line: None,
) -> Path:
    """Return the path of a verified file, after downloading it if necessary.

    Args:
        file: one of `SETS`.
        mirror: address of a folder with the file, named as in the cache; "" for the authors'
            address.
        progress: called with the number of bytes downloaded.
        notify: called with a line about each step.

    Raises:
        UsageError: when the mirror is neither http nor https.
        MolvaeError: when the file cannot be downloaded.
    """
    path = place(file)
    address = f"{mirror.rstrip('/')}/{file.file}" if mirror else file.address
    download(address, path, file.expected, progress=progress, notify=notify)
    return path
