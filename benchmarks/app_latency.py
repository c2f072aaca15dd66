"""How long a visitor waits: first paint, and from a click on a class to the changed picture, in Chromium.

    python benchmarks/app_latency.py [--clicks 60]

Starts the app by itself. Limits: first paint under 2 s once the server answers, a change of class under 300 ms (95th
percentile). Prints a table and writes benchmarks/results/app_latency.json.
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

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
# Every other click goes back to the answer, because two faint maps can be the same picture.
CLASSES = ("angry", "happy", "neutral", "happy", "sad", "happy", "surprise", "happy")

# Runs in the page: click, then wait for the frame in which the map's picture is another one.
CLICK = """async (name) => {
  const plot = () => document.querySelectorAll('.js-plotly-plot')[1];
  const images = () => [...plot().querySelectorAll('.heatmaplayer image')].map(i => i.getAttribute('xlink:href'));
  const picture = () => images().join() + plot().innerText;
  const before = picture();
  const buttons = [...document.querySelectorAll('[data-testid="stButtonGroup"] button')];
  const button = buttons.find(b => b.innerText.trim() === name);
  const start = performance.now();
  button.click();
  while (picture() === before) {
    if (performance.now() - start > 20000) throw new Error('no change for ' + name);
    await new Promise(requestAnimationFrame);
  }
  return performance.now() - start;
}"""


def started(port: int) -> tuple[subprocess.Popen, float]:
    start = time.perf_counter()
    command = [Path(sys.executable).with_name("streamlit"), "run", "workbench/app.py", "--server.port", str(port)]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, env=os.environ)
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2)
            return server, time.perf_counter() - start
        except OSError:
            time.sleep(0.05)


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
            paint = time.perf_counter() - start
            page.locator(".js-plotly-plot .heatmaplayer image").nth(2).wait_for(state="attached", timeout=60_000)
            whole = time.perf_counter() - start
            page.wait_for_timeout(2000)
            for name in (*CLASSES, *CLASSES):  # not counted
                page.evaluate(CLICK, name)
            times = [page.evaluate(CLICK, CLASSES[i % len(CLASSES)]) for i in range(clicks)]
        finally:
            server.terminate()
            browser.close()
    p95 = statistics.quantiles(times, n=20)[-1]
    result = {
        "server answers after s": answers,
        "first paint s": paint,
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
