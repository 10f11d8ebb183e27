"""GenMol's fragment tasks: molecules with fragments of drugs (Lee 2025, arXiv 2501.06158).

Ten drugs, four tasks, and 100 samples for each; what counts are distinct drug-like molecules.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from rdkit import Chem

from molvae.chem.properties import measure
from molvae.errors import MolvaeError
from molvae.generator import MoleculeGenerator
from molvae.suites.control_model import PropertySampler

# Columns of the table of fragment tasks, and the tasks as GenMol names them.
TASKS = {
    "linker_design": "linker design",
    "motif_extension": "motif extension",
    "scaffold_decoration": "scaffold decoration",
    "superstructure_generation": "superstructure generation",
}
SAMPLES = 100  # of each drug and task
QUALITY = {"QED": 0.6, "SA": 4.0}  # at least, and at most
ASKED = {"QED": (0.6, None), "SA": (None, 4.0)}  # the same as targets
# Valid, unique and quality, in percent, as its README has them.
GENMOL: Mapping[str, Mapping[str, tuple[float, float, float]]] = {
    "linker design": {"GenMol V2": (81.8, 87.1, 28.6), "GenMol V1": (16.7, 93.9, 4.3)},
    "motif extension": {"GenMol V2": (99.4, 84.5, 49.0)},
    "scaffold decoration": {"GenMol V1": (96.6, 82.7, 31.8), "GenMol V2": (99.2, 90.5, 39.7)},
    "superstructure generation": {"GenMol V2": (99.7, 89.8, 39.0)},
}


def fragment_tasks(
    sampler: PropertySampler, rows: Sequence[Mapping[str, str]], *, seed: int
) -> Iterator[dict[str, Any]]:
    """Yield the figures of each drug, task and tier; a fragment that is refused says why.

    ASKED is what a user would do: distinct molecules, with the quality as targets.

    Args:
        sampler: the model and its settings.
        rows: of GenMol's table, one for each drug.
        seed: of all randomness.
    """
    more: dict[str, Any] = {"seed": seed, "executor": sampler.executor}
    repeated = replace(sampler.config, tier="consistent", unique=False)
    tiers: dict[str, dict[str, Any]] = {
        "RAW": {"config": replace(repeated, tier="raw", max_tries=1)},
        "CONSISTENT": {"config": repeated},
    }
    if set(ASKED) <= set(sampler.generator.measured):
        tiers["ASKED"] = {"config": replace(repeated, unique=True), "targets": ASKED}
    for number, row in enumerate(rows, 1):
        for column, task in TASKS.items():
            for tier, drawing in tiers.items():
                figures = _task(sampler.generator, row[column], **drawing, **more)
                yield {"drug": row["name"], "task": task, "tier": tier, **figures}
        done, total = (count * len(TASKS) * len(tiers) * SAMPLES for count in (number, len(rows)))
        sampler.report("Fragment tasks", done, total)


def _task(generator: MoleculeGenerator, fragment: str, **drawing: Any) -> dict[str, Any]:
    """Return the figures of one task."""
    try:
        if "." in fragment:
            first, last = fragment.split(".")
            found = generator.link(first, last, SAMPLES, **drawing)
        else:
            found = generator.decorate(fragment, SAMPLES, **drawing)
    except MolvaeError as error:
        return {"fragment": fragment, "refused": str(error), "valid": 0.0, **_NOTHING}
    distinct = {each.smiles for each in found}
    good = sum(
        bool(qed >= QUALITY["QED"] and sa <= QUALITY["SA"])
        for qed, sa in (measure(Chem.MolFromSmiles(s), tuple(QUALITY)) for s in distinct)
    )
    return {
        "fragment": fragment,
        "valid": len(found) / SAMPLES,
        "unique": len(distinct) / len(found) if len(found) else 0.0,
        "quality": good / SAMPLES,
        "acceptance": found.summary.to_dict()["acceptance"],
        "draws": found.summary.draws,
        "rejected": dict(found.summary.refusals),
    }


_NOTHING: Mapping[str, Any] = {"unique": 0.0, "quality": 0.0, "draws": 0, "rejected": {}}


def task_means(tasks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the means over the drugs, by tier and task, in percent."""
    found: dict[str, Any] = {}
    for tier in dict.fromkeys(each["tier"] for each in tasks):
        for task in TASKS.values():
            rows = [each for each in tasks if (each["tier"], each["task"]) == (tier, task)]
            figures = {
                figure: 100 * float(np.mean([row[figure] for row in rows]))
                for figure in ("valid", "unique", "quality")
            }
            refused = [row["drug"] for row in rows if "refused" in row]
            found.setdefault(tier, {})[task] = {**figures, "drugs": len(rows), "refused": refused}
    return found
