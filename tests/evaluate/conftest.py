from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep statistics out of the user's cache; tests share theirs, which saves reading again."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("MOLVAE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
