"""Record the outputs of all cases: `python -m tests.golden.record [CASE...]` at the root.

With names, those cases alone are recorded anew, and the others stay as they were.
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

HASHES = Path(__file__).with_name("hashes.json")


def main(names: list[str]) -> None:
    """Write `hashes.json`."""
    os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported
    from tests.golden.cases import CASES
    from tests.golden.running import Workplace, machine

    kept = json.loads(HASHES.read_text(encoding="utf-8")) if names else {"cases": {}}
    with tempfile.TemporaryDirectory() as folder:
        workplace = Workplace(Path(folder))
        made = {name: workplace.result_of(name) for name in names or CASES}
    found = kept["cases"] | made
    cases = {name: found[name] for name in CASES if name in found}
    HASHES.write_text(_dumped(machine(), cases), encoding="utf-8")
    print(f"{len(made)} cases recorded in {HASHES}.")


def _dumped(machine: dict[str, str], cases: dict[str, dict[str, Any]]) -> str:
    """Return the JSON text, one output a line."""
    blocks = []
    for name, case in cases.items():
        lines = [f"    {_line(key)}: {_line(output)}" for key, output in case["outputs"].items()]
        outputs = "{\n" + ",\n".join(lines) + "\n  }" if lines else "{}"
        blocks.append(f'  {_line(name)}: {{"exit": {case["exit"]}, "outputs": {outputs}}}')
    return f'{{"machine": {_line(machine)},\n "cases": {{\n' + ",\n".join(blocks) + "\n}}\n"


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    main(sys.argv[1:])
