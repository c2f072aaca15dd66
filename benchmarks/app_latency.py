"""How long a visitor waits: first paint, and from each control to the changed picture, in Chromium.

    python benchmarks/app_latency.py [--times 20] [--only TEXT]

Starts the app and a fresh browser by itself; moves every control that changes a picture, on every page, with the
default network (where a page needs attention modules, with one that has some). Limits: first paint under 2 s once the
server answers, each change under 300 ms, a change of page under 500 ms (95th percentiles). Prints a table; a whole run
writes benchmarks/results/app_latency.json.
"""

import itertools
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import tyro
from playwright.sync_api import Error, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'
LIMIT, PAGE_LIMIT = 300, 500  # ms
# Every other value is the answer, or the start, because two faint maps can be the same picture.
CLASSES = ("angry", "happy", "neutral", "happy", "sad", "happy", "surprise", "happy")
PAPERS = ("B", "A", "D", "C")
NETWORKS = ("EfficientNet-Lite0 (ours)", "Residual CNN")
SAMPLES = ("Drawn face: happy", "Drawn face: sad", "Drawn face: angry", "Drawn face: fear")
SLIDE, ENDS, SWITCH = ("PageDown", "PageUp"), ("Home", "End"), ("",)


class Control(NamedTuple):
    """What a visitor moves.

    link: page with what is chosen on it; where the default depends on a network, the last of the values, so that the
    first one changes the picture. key: of the control. values: to choose, or keys to press, in turn; empty for a
    switch. chart: key of the chart, or a CSS selector, whose picture must change. inside: the popover it sits in.
    """

    link: str
    key: str
    values: tuple[str, ...]
    chart: str
    inside: str = ""


CBAM, TRANSFORMER = "attention?network=multibranch_dsc_cbam", "attention?network=hybrid_efficientnet_lite0"
CONTROLS = (
    Control("", "class", CLASSES, "map"),
    Control("", "method", ("Grad-CAM++", "LayerCAM", "Grad-CAM"), "map", "Map settings"),
    Control("", "opacity", SLIDE, "map", "Map settings"),
    Control("?class=sad", "shared", SWITCH, "map", "Map settings"),
    Control("?tab=Classes", "tab", ("Methods", "Classes", "Layers", "Classes"), "closer"),
    Control("", "sample", SAMPLES, "map", "Face"),
    Control("compare", "class", CLASSES, "map-1"),
    Control("compare?class=sad", "scale", ("this class", "all classes"), "map-1"),
    Control("compare?tab=Difference", "red", NETWORKS, "difference"),
    Control(CBAM, "module", ("2 CBAM", "1 CBAM", "3 CBAM"), "gate"),
    Control(CBAM, "whole", SWITCH, "gate", "Map settings"),
    Control(f"{CBAM}&tab=Ablation", "module1", SWITCH, "logits"),
    Control(f"{TRANSFORMER}&module=2+transformer&mean=false", "row", SLIDE, "heads"),
    Control("frequency", "cutoff", SLIDE, "Low-frequencies"),
    Control("frequency", "mask", ("ideal", "butterworth", "gaussian"), "Low-frequencies"),
    Control("frequency?tab=Hybrid+images", "other", SAMPLES, "swap"),
    Control("frequency?tab=Spectrum", "cutoff", SLIDE, "profile"),
    Control("svd", "rank", SLIDE, "rank-k"),
    Control("svd?network=efficientnet_lite0_svd_hfc&tab=SVD+attention", "module", ("module 2", "module 1"), "lists"),
    Control("robustness", "at", ENDS, "shown"),
    Control("robustness", "change", ("Blur", "Noise", "Rotation"), "curves"),
    Control("robustness?tab=Occlusion", "class", CLASSES, "occlusion"),
    Control("robustness?tab=Occlusion", "patch", ("a third", "a quarter"), "occlusion"),
    Control("robustness?tab=Crop", "right", SLIDE, "after"),
    Control("metrics", "part", ("PublicTest", "PrivateTest"), "recall"),
    Control("metrics?tab=Confusion+matrix&detail=residual_cnn", "detail", NETWORKS, "confusion"),
    Control("metrics?tab=Confusion+matrix", "label", ("happy", "sad"), "confusion"),
    Control("metrics?tab=Embedding", "color", ("error", "label"), "scatter"),
    Control("dataset?tab=Augmentation", "augmentation", ("paper-b", "paper-a"), '[data-testid="stImage"]'),
    Control("papers", "paper", PAPERS, ".claims"),
    Control("lessons?lesson=frequency", "cut", SLIDE, "low"),
    Control("debug_challenge?network=residual_cnn&class=happy", "class", CLASSES, "map-faulty"),
    Control("debug_challenge", "test", ("Other faces", "Repeated runs", "Rotations"), "bench"),
    Control("debug_challenge", "broken", SWITCH, "seen"),
)

DRAWN = "image, path, text, img, td"
# Runs in the page before an action: from its last click or key on it waits for the frame with another picture.
WATCH = """([chart, drawn]) => {
  const look = (e) => e.getAttribute('href') ?? e.getAttribute('xlink:href') ?? e.getAttribute('d') ?? e.src
    ?? e.textContent;
  const picture = () => [...document.querySelectorAll(chart)]
    .flatMap(one => [...one.querySelectorAll(drawn)].map(look)).join();
  const before = picture();
  let acted = null;
  for (const kind of ['click', 'keydown'])
    document.addEventListener(kind, () => { acted = performance.now() }, {capture: true});
  window.changed = new Promise((done, fail) => {
    const armed = performance.now();
    const look = () => {
      const now = picture();
      if (acted !== null && now && now !== before) done(performance.now() - acted);
      else if (performance.now() - armed > 20000) fail(new Error('the picture did not change'));
      else requestAnimationFrame(look);
    };
    look();
  });
}"""

# The same for a page: from the click on its link until its title stands and its script has ended.
ARRIVE = """([title, idle]) => {
  let acted = null;
  document.addEventListener('click', () => { acted = performance.now() }, {capture: true, once: true});
  window.arrived = new Promise((done) => {
    const look = () => {
      const there = document.querySelector('h1')?.textContent === title && document.querySelector(idle);
      if (acted !== null && there) done(performance.now() - acted);
      else requestAnimationFrame(look);
    };
    look();
  });
}"""


def started(port: int) -> tuple[subprocess.Popen, float]:
    """The app, and the seconds until its server answers."""
    start = time.perf_counter()
    command = [Path(sys.executable).with_name("streamlit"), "run", "workbench/app.py", "--server.port", str(port)]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, env=os.environ)
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2)
            return server, time.perf_counter() - start
        except OSError:
            time.sleep(0.05)


def first_paint(page: Page, url: str) -> dict[str, float]:
    """Seconds until something, the title and the first map are on the screen."""
    start = time.perf_counter()
    page.goto(url)
    page.get_by_role("heading", name="Explain").wait_for()
    title = time.perf_counter() - start
    page.locator(".js-plotly-plot .heatmaplayer image").nth(2).wait_for(state="attached", timeout=60_000)
    whole = time.perf_counter() - start
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime") / 1000
    return {"first contentful paint s": paint, "title of the page s": title, "first map s": whole}


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


def settled(page: Page) -> None:
    page.wait_for_timeout(300)
    page.wait_for_selector(IDLE, state="attached", timeout=120_000)


def act(page: Page, key: str, value: str) -> None:
    """Move a control like a visitor; which kind it is, the page says."""
    control = page.locator(f".st-key-{key}").first
    control.scroll_into_view_if_needed()
    page.wait_for_timeout(200)  # a list that opens while the page still scrolls shuts again
    if value in SLIDE + ENDS:
        control.locator('input[type="range"]').press(value)
    elif not value:
        control.locator("label").first.click()
    elif key == "tab":
        page.get_by_role("tab", name=value, exact=True).click()
    elif control.get_by_role("combobox").count():
        control.get_by_role("combobox").fill(value)  # a long list holds only what is on the screen
        page.get_by_role("option", name=value, exact=True).click()
    else:
        control.get_by_text(value, exact=True).click()


def measured(page: Page, url: str, control: Control, times: int) -> list[float]:
    """Milliseconds from each action to the changed picture; each value is chosen once before, which is not counted."""
    page.goto(f"{url}/{control.link}")
    chart = control.chart if control.chart[0] in ".[" else f".st-key-{control.chart}"
    page.locator(f"{chart} :is({DRAWN})").first.wait_for(state="attached", timeout=120_000)
    settled(page)
    if control.inside:
        page.get_by_role("button", name=control.inside, exact=True).click()
    found, values = [], itertools.cycle(control.values)
    for _ in range(max(2, len(control.values)) + times):
        page.evaluate(WATCH, [chart, DRAWN])
        act(page, control.key, next(values))
        found.append(page.evaluate("() => window.changed"))
        settled(page)
    return found[-times:]


def page_changes(page: Page, url: str, times: int) -> dict[str, list[float]]:
    """For each page of the menu: milliseconds from a click on it until its title stands and its script has ended."""
    page.goto(url)
    settled(page)
    links = page.locator('[data-testid="stSidebarNavLink"]')
    count = links.count()
    found: dict[str, list[float]] = {}
    for i in range(count * (times + 1)):  # each page once before, which is not counted
        link = links.nth((i + 1) % count)
        title = link.inner_text()
        page.evaluate(ARRIVE, [title, IDLE])
        link.click()
        found.setdefault(title, []).append(page.evaluate("() => window.arrived"))
        settled(page)
    return {title: times[1:] for title, times in found.items()}


@dataclass(frozen=True)
class Options:
    """Options of the command line."""

    times: int = 20
    """Each control is moved so often (20)"""
    only: str = ""
    """Controls whose page or key holds this"""


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url, rows = f"http://127.0.0.1:{port}", []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        server, answers = started(port)
        try:
            result: dict[str, object] = {
                "server answers after s": answers,
                **first_paint(page, url),
                "cores": os.cpu_count(),
            }
            for name, value in result.items():
                print(f"{name:<26} {value:.2f}")
            print("first paint under 2 s:", "met" if result["first contentful paint s"] < 2 else "missed")
            if not options.only:
                changes = page_changes(page, url, max(2, options.times // 4))
                p95 = _p95([ms for values in changes.values() for ms in values])
                print(f"page change, 95th percentile: {p95:.0f} ms, limit {PAGE_LIMIT}; medians in ms:")
                print(", ".join(f"{title} {statistics.median(values):.0f}" for title, values in changes.items()))
                result |= {"page change p95 ms": p95, "page changes": changes}
            print(f"\n{'page':<66} {'control':<14} {'median ms':>9} {'95 % ms':>9}")
            for control in CONTROLS:
                name = control.link or "explain"
                if options.only not in f"{name} {control.key}":
                    continue
                try:
                    times = measured(page, url, control, options.times)
                except Error as error:
                    print(f"{name:<66} {control.key:<14} {str(error).splitlines()[0]}")
                    continue
                p95 = _p95(times)
                rows.append(
                    {"page": name, "control": control.key, "median ms": statistics.median(times), "p95 ms": p95}
                )
                missed = "" if p95 < LIMIT else "  missed"
                print(f"{name:<66} {control.key:<14} {rows[-1]['median ms']:>9.0f} {p95:>9.0f}{missed}", flush=True)
        finally:
            server.terminate()
            browser.close()
    slow = sum(row["p95 ms"] >= LIMIT for row in rows)
    print(f"\n{len(rows) - slow} of {len(rows)} controls change the picture in under {LIMIT} ms (95th percentile)")
    if options.only or len(rows) < len(CONTROLS):
        return
    folder = ROOT / "benchmarks" / "results"
    folder.mkdir(exist_ok=True)
    result |= {"times": options.times, "controls": rows}
    (folder / "app_latency.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
