"""The page of a report in a browser: headless Chromium, where there is one."""

import html as markup
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from molvae.evaluate.inputs import Inputs
from molvae.evaluate.page.render import render
from molvae.evaluate.report import evaluate_sets
from molvae.evaluate.text import cell
from molvae.evaluate.trained import trained_model
from molvae.evaluate.work import Work
from tests.drugs import DRUGS
from tests.evaluate.pages import resolve

pytest.importorskip("matplotlib", reason="needs the extra: pip install 'molvae[report]'")
pytest.importorskip("jinja2", reason="needs the extra: pip install 'molvae[report]'")

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs Chromium or Chrome on the PATH")

WIDTHS = (390, 1400)  # pixels: a phone, and a desk
LONG = "molecules-of-a-run-with-a-very-long-name-without-any-place-to-break-it-" * 2
# Frames of both widths, and a script that writes down what the browser made of the page in them.
FRAMES = """<!DOCTYPE html><title>frames</title>
<iframe id="f390" width="390" height="800" style="border:0" srcdoc="{page}"></iframe>
<iframe id="f1400" width="1400" height="800" style="border:0" srcdoc="{page}"></iframe>
<pre id="found"></pre>
<script>
addEventListener("load", () => {{
  const found = {{}};
  for (const width of [390, 1400]) {{
    const frame = document.getElementById("f" + width).contentWindow, page = frame.document;
    page.querySelectorAll("details").forEach(e => e.open = true);
    const drawn = [...page.querySelectorAll("svg")].map(e => e.getBoundingClientRect());
    found[width] = {{
      scroll: page.documentElement.scrollWidth,
      loaded: frame.performance.getEntriesByType("resource").map(e => e.name),
      numbers: [...page.querySelectorAll("data")].map(
        e => [e.dataset.pointer, e.value, e.textContent, e.getBoundingClientRect().width]),
      small: drawn.filter(box => box.width < 100 || box.height < 60).length,
      narrow: Math.min(...[...page.querySelectorAll("figure")].map(
        e => e.getBoundingClientRect().width)),
      boxes: [...page.querySelectorAll(".wide")].filter(e => e.scrollWidth > e.clientWidth).length,
      record: JSON.parse(page.getElementById("record").textContent),
    }};
  }}
  document.getElementById("found").textContent = JSON.stringify(found);
}});
</script>
"""


@pytest.fixture(scope="module")
def page() -> str:
    smiles = [smiles for _, smiles in DRUGS]
    targets = {"LogP": [float(row % 4) for row in range(40)], "QED": (0.5, 1.0), "HBD": 1}
    log = [
        {"epoch": e, "kl": 9.0 - e, "validation_kl": 9.5 - e, "reconstruction": 1e4} for e in (1, 2)
    ]
    calibration = {"LogP": {f"a measure with a long name {n}": n / 7 for n in range(9)}}
    provenance = {"log": log, "measured": {"calibration": calibration}, "title": LONG}
    evaluation = evaluate_sets(
        Inputs.of(smiles[:40], smiles[40:80], None, smiles[:9]), Work(), targets=targets
    )
    return render(
        evaluation,
        files={"generated": f"{LONG}.csv"},
        model=trained_model(LONG, "e4ab54", {"provenance": provenance}),
    )


def browse(file: Path, folder: Path) -> tuple[str, str]:
    """Return a page as it stands once it is loaded, and what the browser had to say."""
    done = subprocess.run(
        [
            str(BROWSER),
            "--headless",
            "--no-sandbox",  # which a container often cannot give; the page is our own
            "--disable-gpu",
            "--no-first-run",
            f"--user-data-dir={folder / 'profile'}",
            "--enable-logging=stderr",
            "--window-size=1600,1000",
            "--virtual-time-budget=10000",
            "--dump-dom",
            file.as_uri(),
        ],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=True,
    )
    return done.stdout, done.stderr


@pytest.fixture(scope="module")
def seen(page: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the browser made of the page, by the width it was shown at."""
    folder = tmp_path_factory.mktemp("browser")
    file = folder / "frames.html"
    file.write_text(FRAMES.format(page=markup.escape(page)), encoding="utf-8")
    dom, said = browse(file, folder)
    text = dom.partition('<pre id="found">')[2].partition("</pre>")[0]
    assert text, said
    found: dict[str, Any] = json.loads(markup.unescape(text))
    return {**found, "said": said}


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_does_not_scroll_sideways(seen: dict[str, Any], width: int) -> None:
    assert seen[str(width)]["scroll"] <= width


def test_no_table_is_cut_off(seen: dict[str, Any]) -> None:
    assert seen["390"]["boxes"] == 0
    assert seen["1400"]["boxes"] == 1  # that of nine columns with long names scrolls in its box


@pytest.mark.parametrize("width", WIDTHS)
def test_charts_and_molecules_can_be_made_out(seen: dict[str, Any], width: int) -> None:
    assert seen[str(width)]["small"] == 0
    assert seen[str(width)]["narrow"] >= 280


@pytest.mark.parametrize("width", WIDTHS)
def test_every_number_is_seen_as_the_json_has_it(seen: dict[str, Any], width: int) -> None:
    found = seen[str(width)]
    assert len(found["numbers"]) > 100
    for place, value, text, size in found["numbers"]:
        assert json.loads(value) == resolve(found["record"], place)
        assert text == cell(json.loads(value))
        assert size > 0


def test_nothing_is_loaded_and_the_browser_has_no_complaint(seen: dict[str, Any]) -> None:
    assert seen["390"]["loaded"] == seen["1400"]["loaded"] == []
    assert "CONSOLE" not in seen["said"]


def test_the_page_alone_leaves_the_console_empty(page: str, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(page, encoding="utf-8")
    dom, said = browse(file, tmp_path)
    assert '<h2 id="provenance">' in dom
    assert "CONSOLE" not in said
