import sys
from pathlib import Path

import pytest

from molvae.errors import MolvaeError
from molvae.files.cache import VARIABLE, cache_folder


def test_the_variable_says_where_the_cache_is_and_mends_one_that_cannot_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "here"))
    assert cache_folder("datasets") == tmp_path / "here" / "datasets"
    assert (tmp_path / "here" / "datasets").is_dir()
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "file"))
    with pytest.raises(MolvaeError, match=f"Set {VARIABLE}"):
        cache_folder("datasets")


@pytest.mark.skipif(sys.platform != "linux", reason="looks at Linux's folders")
def test_without_the_variable_the_cache_is_that_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder("datasets") == tmp_path / "molvae" / "datasets"
