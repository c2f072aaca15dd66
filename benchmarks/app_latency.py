"""How long a visitor waits: first paint, and from a click on a class to the changed picture, in Chromium.

    python benchmarks/app_latency.py [--clicks 60]

Starts the app and a fresh browser by itself. Limits: first paint under 2 s once the server answers, a change of class
under 300 ms (95th percentile). Prints a table and writes benchmarks/results/app_latency.json.
"""

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
# Every other click goes back to the answer, because two faint maps can be the same picture.
CLASSES = ("angry", "happy", "neutral", "happy", "sad", "happy", "surprise", "happy")

# Runs in the page before a click: from then on it waits for the frame in which the map's picture is another one.
WATCH = """() => {
  const images = () => document.querySelectorAll('.js-plotly-plot')[1].querySelectorAll('.heatmaplayer image');
  const picture = () => [...images()].map(i => i.getAttribute('xlink:href') || i.getAttribute('href')).join();
  const before = picture();
  let clicked = null;
  document.addEventListener('click', () => { clicked = performance.now() }, {capture: true, once: true});
  window.changed = new Promise((done, fail) => {
    const armed = performance.now();
    const look = () => {
      if (clicked !== null && picture() !== before) done(performance.now() - clicked);
      else if (performance.now() - armed > 20000) fail(new Error('the picture did not change'));
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


def change(page: Page, name: str) -> float:
    """Click on a class like a visitor; milliseconds from the click to the changed picture."""
    page.evaluate(WATCH)
    page.get_by_role("radio", name=name, exact=True).first.click()
    milliseconds = page.evaluate("() => window.changed")
    page.wait_for_timeout(300)  # a visitor looks before the next click
    return milliseconds


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clicks", type=int, default=60)
    clicks = parser.parse_args().clicks
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        server, answers = started(port)
        try:
            start = time.perf_counter()
            page.goto(f"http://127.0.0.1:{port}")
            page.get_by_role("heading", name="What in the picture").wait_for()
            title = time.perf_counter() - start
            page.locator(".js-plotly-plot .heatmaplayer image").nth(2).wait_for(state="attached", timeout=60_000)
            whole = time.perf_counter() - start
            paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime") / 1000
            page.wait_for_timeout(2000)
            for name in 2 * CLASSES:  # not counted
                change(page, name)
            times = [change(page, CLASSES[i % len(CLASSES)]) for i in range(clicks)]
        finally:
            server.terminate()
            browser.close()
    p95 = statistics.quantiles(times, n=20)[-1]
    result = {
        "server answers after s": answers,
        "first contentful paint s": paint,
        "title of the page s": title,
        "first map s": whole,
        "class change median ms": statistics.median(times),
        "class change p95 ms": p95,
        "clicks": len(times),
        "cores": os.cpu_count(),
    }
    for name, value in result.items():
        print(f"{name:<26} {value:.2f}")
    print("first paint under 2 s:", "met" if paint < 2 else "missed")
    print("change of class under 300 ms (p95):", "met" if p95 < 300 else "missed")
    folder = ROOT / "benchmarks" / "results"
    folder.mkdir(exist_ok=True)
    (folder / "app_latency.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
