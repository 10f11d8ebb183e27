from pathlib import Path

import pytest

from molvae.errors import MolvaeError
from molvae.files.cache import VARIABLE, cache_folder


def test_the_variable_says_where_the_cache_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "here"))
    assert cache_folder("datasets") == tmp_path / "here" / "datasets"
    assert (tmp_path / "here" / "datasets").is_dir()


def test_a_cache_that_cannot_be_made_is_told_with_the_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "file"))
    with pytest.raises(MolvaeError, match=f"Set {VARIABLE}"):
        cache_folder("datasets")
