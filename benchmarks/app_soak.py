"""Ten visitors use the workbench for five minutes, each in a browser of his own: no wrong map, no error.

    python benchmarks/app_soak.py [--visitors 10] [--minutes 5]

One visitor has seen every page and every trained network before. Then every visitor opens pages, samples, networks and
classes by chance. Wherever the page Explain shows a map, its numbers are compared with those that `services.explain`
gives for the same face, network and class.
Limits: no wrong map, no error on a page or in a console; memory of the app, printed every half minute, no longer grows:
in the last third of the time it is on average at most 5 % above the middle third.
"""

import asyncio
import json
import random
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil
import tyro
from playwright.async_api import Error, Page, async_playwright

from workbench import faces, services
from workbench.navigation import PAGES

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'
SAMPLES = [sample.name for sample in faces.samples()]
NETWORKS = [name for name in services.networks.network_names() if services.networks.is_trained(name)]
OTHERS = [Path(file).stem for file, *_ in PAGES if file not in ("explain.py", "share.py")]
# The sum of the map that the page shows, before colors: of the last heat map of the second chart.
SHOWN = """() => {
  const chart = document.querySelectorAll('.js-plotly-plot')[1];
  const last = chart._fullData.filter((trace) => trace.type === 'heatmap').at(-1);
  const sum = (row) => [...row].reduce((a, b) => a + b, 0);
  return last.z.length ? sum([...last.z].map(sum)) : 0;
}"""


@cache
def expected(sample: str, network: str, class_: str) -> float:
    return float(services.explain(faces.load_sample(sample), network, class_).map_of(class_).sum())


async def settled(page: Page) -> None:
    await page.wait_for_timeout(300)
    await page.wait_for_selector(IDLE, state="attached", timeout=120_000)


async def explain_once(page: Page, url: str, chance: random.Random, outcomes: Counter) -> None:
    sample, network = chance.choice(SAMPLES), chance.choice(NETWORKS)
    class_ = chance.choice(services.networks.open_network(network).classes)
    await page.goto(f"{url}/?sample={sample}&network={network}&class={class_}")
    await page.locator(".js-plotly-plot .heatmaplayer image").nth(1).wait_for(state="attached", timeout=120_000)
    await settled(page)
    for _ in range(chance.randint(1, 4)):  # then by clicks, as visitors do
        wanted = expected(sample, network, class_)
        for _ in range(40):  # a page that still draws is no error
            shown = await page.evaluate(SHOWN)
            if abs(shown - wanted) <= 1e-3 * max(1, abs(wanted)) or wanted == 0:
                outcomes["right maps"] += 1
                break
            await page.wait_for_timeout(500)
        else:
            outcomes[f"WRONG MAP: {sample}, {network}, {class_}: {shown} instead of {wanted}"] += 1
        class_ = chance.choice(services.networks.open_network(network).classes)
        await page.get_by_role("radio", name=class_, exact=True).first.click()
        await settled(page)


async def other_once(page: Page, url: str, chance: random.Random, outcomes: Counter) -> None:
    name = chance.choice(OTHERS)
    await page.goto(f"{url}/{name}?sample={chance.choice(SAMPLES)}&network={chance.choice(NETWORKS)}")
    await page.get_by_role("heading").first.wait_for(timeout=120_000)
    await settled(page)
    for box in await page.locator('[data-testid="stException"], [data-testid="stAlertContentError"]').all_inner_texts():
        outcomes[f"ERROR on {name}: {box[:100]}"] += 1
    outcomes["other pages"] += 1


async def visit(browser, url: str, number: int, until: float, outcomes: Counter) -> None:
    chance, context = random.Random(number), await browser.new_context(viewport={"width": 1280, "height": 720})
    page = await context.new_page()
    page.on("pageerror", lambda error: outcomes.update([f"ERROR in a console: {str(error)[:100]}"]))
    while time.monotonic() < until:
        try:
            await (explain_once if chance.random() < 0.6 else other_once)(page, url, chance, outcomes)
        except Error as error:
            outcomes[f"SLOW or lost: {str(error).splitlines()[0][:100]}"] += 1
    await context.close()


async def tour(browser, url: str) -> None:
    """Every page and every trained network once, so that what is loaded but once does not count as growth."""
    page = await browser.new_page()
    for link in [*OTHERS, *(f"?network={network}" for network in NETWORKS)]:
        await page.goto(f"{url}/{link}")
        await page.get_by_role("heading").first.wait_for(timeout=120_000)
        await settled(page)
    await page.close()


async def soak(url: str, visitors: int, seconds: float, server: psutil.Process) -> tuple[Counter, list[int]]:
    outcomes, memory = Counter(), []

    async def watch(until: float) -> None:
        while time.monotonic() < until:
            memory.append(server.memory_info().rss >> 20)
            if len(memory) % 3 == 1:
                print(f"{(len(memory) - 1) * 10:4} s: {memory[-1]} MiB", flush=True)
            await asyncio.sleep(10)

    async with async_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        await tour(browser, url)
        until = time.monotonic() + seconds
        await asyncio.gather(watch(until), *(visit(browser, url, i, until, outcomes) for i in range(visitors)))
        await browser.close()
    return outcomes, memory


@dataclass(frozen=True)
class Options:
    """Options of the command line."""

    visitors: int = 10
    minutes: float = 5


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [Path(sys.executable).with_name("streamlit"), "run", "workbench/app.py", "--server.port", str(port)]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        while True:
            try:
                urllib.request.urlopen(f"{url}/_stcore/health", timeout=2)
                break
            except OSError:
                time.sleep(0.5)
        outcomes, memory = asyncio.run(soak(url, options.visitors, 60 * options.minutes, psutil.Process(server.pid)))
    finally:
        server.terminate()
    for name, count in outcomes.most_common():
        print(f"{count:6}  {name}")
    third = max(1, len(memory) // 3)
    middle, last = (sum(part) / third for part in (memory[-2 * third : -third] or memory[:1], memory[-third:]))
    print(f"memory: {memory[0]} MiB at first, {max(memory)} at most, {memory[-1]} at the end")
    print(
        f"last third against the middle third: {last - middle:+.0f} MiB, {'met' if last < 1.05 * middle else 'missed'}"
    )
    result = {
        "visitors": options.visitors,
        "minutes": options.minutes,
        "outcomes": dict(outcomes),
        "memory MiB": memory,
        "growth MiB": round(last - middle),
    }
    folder = ROOT / "benchmarks" / "results"
    folder.mkdir(exist_ok=True)
    (folder / "app_soak.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
