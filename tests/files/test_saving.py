import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "saving.py"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_no_kill_at_any_step_of_a_save_or_at_any_time_loses_a_file(tmp_path: Path) -> None:
    """In a process of its own: `fork` is for those that have no threads."""
    output = tmp_path / "saving.json"
    command = [sys.executable, str(SCRIPT), "--kills", "5", "--output", str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    results = json.loads(output.read_text())["results"]
    assert len(results) == 4
    for name, found in results.items():
        assert found["kills"] >= (50 if name.startswith("every step") else 5), name
        assert (found["lost"], found["unreadable"], found["leftovers"]) == (0, 0, 0), name
