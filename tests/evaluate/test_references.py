from pathlib import Path

import numpy as np
import pytest

from molvae.evaluate import references as module
from molvae.evaluate.fcd import is_installed
from molvae.evaluate.inputs import Source, file_source, source
from molvae.evaluate.parsed import parse_molecules
from molvae.evaluate.references import load_reference, load_training_set
from molvae.evaluate.work import Work
from tests.drugs import DRUGS

SMILES = [smiles for _, smiles in DRUGS][:40]
needs_chemnet = pytest.mark.skipif(
    not is_installed(), reason="ChemNet comes with the extra: pip install 'molvae[fcd]'"
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Begin each test with an empty cache."""
    monkeypatch.setenv("MOLVAE_CACHE", str(tmp_path))
    return tmp_path / "references"


def unread(molecules: Source) -> Source:
    """Return the same molecules, which may not be read."""
    return molecules._replace(read=lambda: pytest.fail("the molecules were read"))


def test_statistics_are_those_of_the_molecules() -> None:
    found = load_reference(source([*SMILES, "", "C1CC"]), Work(), title="the test set")
    parsed = parse_molecules(SMILES, found.names, structures=True)
    assert found.canonical == parsed.molecules
    np.testing.assert_array_equal(found.properties, parsed.properties)
    np.testing.assert_array_equal(found.fingerprints, parsed.fingerprints)
    np.testing.assert_allclose(found.shapes, parsed.shapes, rtol=1e-6)
    assert found.fragments == parsed.structures.fragments
    assert found.scaffolds == parsed.structures.scaffolds
    assert found.invalid == 2
    assert found.chemnet is None


def test_a_second_look_reads_no_molecule() -> None:
    molecules = source(SMILES)
    first = load_reference(molecules, Work(), title="the test set")
    again = load_reference(unread(molecules), Work(), title="the test set")
    assert again.canonical == first.canonical
    assert again.fragments == first.fragments
    np.testing.assert_array_equal(again.fingerprints, first.fingerprints)


def test_other_molecules_have_statistics_of_their_own() -> None:
    load_reference(source(SMILES), Work(), title="one")
    assert load_reference(source(SMILES[1:]), Work(), title="other").canonical[0] != SMILES[0]
    assert source(SMILES).sha256 != source(SMILES[::-1]).sha256


def test_what_another_rdkit_counted_is_counted_again(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_reference(source(SMILES), Work(), title="one")
    monkeypatch.setattr(module.rdkit, "__version__", "2031.03.1")
    load_reference(source(SMILES), Work(), title="one")
    assert len(list(cache.glob("statistics-*"))) == 2


def test_a_damaged_file_is_made_again(cache: Path) -> None:
    load_reference(source(SMILES), Work(), title="one")
    (kept,) = cache.glob("statistics-*")
    sound = kept.read_bytes()
    kept.write_bytes(sound[:-7] + bytes([sound[-7] ^ 1]) + sound[-6:])
    assert load_reference(source(SMILES), Work(), title="one").canonical
    assert kept.read_bytes() == sound


def test_a_training_set_is_kept_as_hashes(cache: Path) -> None:
    molecules = source([*SMILES, "C[C@H](N)C(=O)O", "C1CC"])
    first = load_training_set(molecules, Work())
    again = load_training_set(unread(molecules), Work())
    for known in (first, again):
        assert known.contains(["C[C@H](N)C(=O)O", "CC(N)C(=O)O"]).tolist() == [True, False]
        assert known.contains_without_stereo(["CC(N)C(=O)O"]).all()
        assert known.has_stereo
        assert known.invalid == 1
    assert not load_training_set(source(["CCO"]), Work()).has_stereo
    assert not load_training_set(unread(source(["CCO"])), Work()).has_stereo


def test_a_file_is_known_by_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "test.smi"
    path.write_text("\n".join(SMILES))
    first = file_source(path, lambda: SMILES)
    assert first.sha256 == source(SMILES).sha256
    again = file_source(path, lambda: pytest.fail("the file was read"))
    assert again.sha256 == first.sha256
    assert file_source(path, lambda: SMILES[:3], column="other").sha256 != first.sha256
    path.write_text("CCO")
    assert file_source(path, lambda: ["CCO"]).sha256 == source(["CCO"]).sha256


def test_progress_is_told_by_stage() -> None:
    seen: list[tuple[str, int, int]] = []
    work = Work(progress=lambda *step: seen.append(step))
    load_reference(source(SMILES[:3]), work, title="the test set")
    load_training_set(source(SMILES[:2]), work)
    assert seen == [
        *(("Reading the test set", done, 3) for done in (1, 2, 3)),
        *(("Reading the training set", done, 2) for done in (1, 2)),
    ]
    load_reference(source(SMILES[:3]), work, title="the test set")
    assert len(seen) == 5


@needs_chemnet
def test_chemnet_goes_on_where_it_was_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("molvae.evaluate.fcd.BATCH", 8)
    monkeypatch.setattr(module, "SAVE_EVERY", 2)
    whole = load_reference(source(SMILES), Work(), title="one", chemnet=True).chemnet
    read: list[str] = []
    real = module.activations

    def interrupted(smiles, work):
        for number, batch in enumerate(real(smiles, work)):
            if number == 3:
                raise KeyboardInterrupt
            yield batch

    def counted(smiles, work):
        read.extend(smiles)
        return real(smiles, work)

    same = source(SMILES[::-1])
    monkeypatch.setattr(module, "activations", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load_reference(same, Work(), title="one", chemnet=True)
    monkeypatch.setattr(module, "activations", counted)
    found = load_reference(same, Work(), title="one", chemnet=True).chemnet
    assert len(read) == 40 - 16  # two batches of eight were kept, the third was lost
    assert whole is not None
    assert found is not None
    assert found.molecules == whole.molecules == 40
    np.testing.assert_allclose(found.mean, whole.mean, atol=1e-6)
    np.testing.assert_allclose(found.covariance, whole.covariance, atol=1e-6)
    read.clear()
    load_reference(unread(same), Work(), title="one", chemnet=True)
    assert not read
