"""Run all metrics of molsets 0.3.1 and time each; for metrics_speed.py, in molsets' environment.

    ENVIRONMENT/bin/python benchmarks/molsets_timed.py SMILES_FILE JOBS

Prints JSON: the metrics, wall-clock and processor seconds in all, and wall-clock seconds by part.
`rdkit.six`, which RDKit dropped in 2020, is stood in for here.
"""

import json
import resource
import sys
import time
import types
import warnings
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

warnings.simplefilter("ignore")
six = types.ModuleType("rdkit.six")
six.iteritems = lambda mapping: mapping.items()  # type: ignore[attr-defined]
sys.modules["rdkit.six"] = six

from moses.metrics import metrics  # type: ignore[import-not-found]  # noqa: E402

seconds: dict[str, float] = defaultdict(float)
PARTS = {
    "fraction_valid": "valid",
    "remove_invalid": "canonicalize",
    "fraction_unique": "unique",
    "internal_diversity": "IntDiv, IntDiv2",
    "fraction_passes_filters": "Filters",
    "novelty": "Novelty",
    "get_dataset": "read the sets",
    "get_statistics": "read the sets",
}
CLASSES = {
    "FCDMetric": "FCD",
    "SNNMetric": "SNN",
    "FragMetric": "Frag",
    "ScafMetric": "Scaf",
    "WassersteinMetric": "logP, SA, QED, weight",
}


def timed(function: Callable[..., Any], part: str) -> Callable[..., Any]:
    """Return the function, whose time is added to a part's."""

    def run(*arguments: Any, **named: Any) -> Any:
        start = time.perf_counter()
        try:
            return function(*arguments, **named)
        finally:
            seconds[part] += time.perf_counter() - start

    return run


def main() -> None:
    """Compute and print."""
    path, jobs = sys.argv[1:]
    smiles = Path(path).read_text().split()
    for name, part in PARTS.items():
        setattr(metrics, name, timed(getattr(metrics, name), part))
    for name, part in CLASSES.items():
        kind = getattr(metrics, name)
        kind.__call__ = timed(kind.__call__, part)
    start = time.perf_counter()
    found = metrics.get_all_metrics(smiles, n_jobs=int(jobs))
    wall = time.perf_counter() - start
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    processor = sum(each.ru_utime + each.ru_stime for each in used)
    numbers = {name: float(value) for name, value in found.items()}
    print(json.dumps({"wall": wall, "processor": processor, "parts": seconds, "metrics": numbers}))


if __name__ == "__main__":
    main()
