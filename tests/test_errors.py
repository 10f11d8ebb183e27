import pickle

import pytest

from molvae.errors import (
    ArtifactError,
    ConfigError,
    InputError,
    MolvaeError,
    Rejected,
    ShortfallError,
    UsageError,
    did_you_mean,
)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (MolvaeError, 1),
        (ArtifactError, 1),
        (Rejected, 1),
        (UsageError, 2),
        (ConfigError, 2),
        (InputError, 3),
        (ShortfallError, 4),
    ],
)
def test_every_failure_has_its_exit_code(kind: type[MolvaeError], code: int) -> None:
    assert kind.exit_code == code
    assert issubclass(kind, MolvaeError)


def test_rejection_says_what_was_seen_and_where() -> None:
    assert str(Rejected("not a molecule", "a ring is open")) == "not a molecule: a ring is open"
    assert str(Rejected("too large")) == "too large"
    assert Rejected("too large").field == "smiles"


def test_rejection_survives_the_way_between_processes() -> None:
    there = Rejected("not a number", "1,5", field="solubility")
    back = pickle.loads(pickle.dumps(there))
    assert isinstance(back, Rejected)
    assert (back.reason, back.detail, back.field) == (there.reason, there.detail, there.field)
    assert str(back) == str(there)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("logd", "; did you mean 'LogP'?"), ("LOGP", "; did you mean 'LogP'?"), ("zebra", "")],
)
def test_nearest_name_is_offered_as_it_is_spelled(name: str, expected: str) -> None:
    assert did_you_mean(name, ["MW", "LogP", "TPSA"]) == expected
