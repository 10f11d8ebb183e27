import importlib.metadata
import json

import pytest

from molvae.chem.selfies import constraints, constraints_hash
from molvae.cli.commands import doctor
from molvae.cli.commands.doctor import MISSING, OK, OPTIONAL, Check
from tests.cli.running import invoke


def pretend(
    monkeypatch: pytest.MonkeyPatch, requirements: list[str], installed: dict[str, str]
) -> dict[str, Check]:
    """Check an installation that asks for `requirements` and has what is `installed`."""

    def version(name: str) -> str:
        if name not in installed:
            raise importlib.metadata.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(importlib.metadata, "requires", lambda name: requirements)
    monkeypatch.setattr(importlib.metadata, "version", version)
    return {check.name: check for check in doctor._distributions()}


def test_doctor_finds_the_chemistry_in_order() -> None:
    done = invoke("doctor", "--json", code=None)
    checks = {check["name"]: check for check in json.loads(done.stdout)}
    assert checks["fast chemistry"]["status"] == checks["SELFIES constraints"]["status"] == OK
    assert checks["bf16 on the CPU"]["status"] == OK
    missing = [check["name"] for check in checks.values() if check["status"] == MISSING]
    assert done.exit_code == (1 if missing else 0)
    assert set(missing) <= {"molvae"}, "only an uninstalled checkout may be missing"


def test_every_miss_has_its_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    checks = pretend(
        monkeypatch,
        [
            "torch>=2.6",
            "selfies==2.2.0",
            "rdkit>=2026.3",
            "rich>=13",
            'pyarrow>=15; extra == "parquet"',
            "jinja2>=3.1; extra == 'report'",
            'molvae[parquet]; extra == "all"',
        ],
        {"torch": "2.13.0+cpu", "selfies": "2.1.1", "rdkit": "2025.9.6", "Jinja2": "3.1.6"}
        | {"jinja2": "3.1.6"},
    )
    assert checks == {
        "torch": Check(OK, "torch", "2.13.0+cpu"),
        "selfies": Check(MISSING, "selfies", "2.1.1", "pip install 'selfies==2.2.0'"),
        "rdkit": Check(MISSING, "rdkit", "2025.9.6", "pip install 'rdkit>=2026.3'"),
        "rich": Check(MISSING, "rich", "not installed", "pip install 'rich>=13'"),
        "extra parquet": Check(
            OPTIONAL, "extra parquet", "lacks pyarrow", "pip install 'molvae[parquet]'"
        ),
        "extra report": Check(OK, "extra report", "installed"),
    }


def test_library_that_cannot_be_imported_is_reported_not_raised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken() -> None:
        raise ImportError("libXrender.so.1: cannot open shared object file")

    monkeypatch.setattr(doctor, "_rdkit", broken)
    found = {check.name: check for check in doctor.run_checks()}["RDKit"]
    assert (found.status, "libXrender" in found.found) == (MISSING, True)


def test_constraints_are_those_that_models_were_trained_under() -> None:
    assert constraints_hash(constraints()) == doctor.SELFIES_CONSTRAINTS
