import json

from molvae.chem.properties import PROPERTIES
from tests.cli.running import invoke


def test_properties_are_listed_with_range_and_source() -> None:
    lines = invoke("properties").stdout.splitlines()
    assert lines[0].split() == ["key", "unit", "definition", "range", "source"]
    assert [line.split()[0] for line in lines[1:]] == list(PROPERTIES)
    assert next(line for line in lines if line.startswith("QED")).count("0..1") == 1


def test_properties_as_json_have_null_for_an_open_end() -> None:
    found = {row["key"]: row for row in json.loads(invoke("properties", "--json").stdout)}
    assert list(found) == list(PROPERTIES)
    assert (found["MW"]["low"], found["MW"]["high"], found["MW"]["unit"]) == (0.0, None, "Da")
