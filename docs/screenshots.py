"""Make the images of the documentation from the running app: `python docs/screenshots.py [--only PAGE ...]`.

A screenshot of every page in docs/images/pages/, and docs/images/three-clicks.webp, an animation of three clicks. The
app runs in an empty folder, so that no dataset is imported, and shows the astronaut sample: no image of a dataset gets
in. Needs Chromium and the `test` extra.
"""

import argparse
import io
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from helpers.browser import CHROMIUM, FLAGS, free_port, served  # noqa: E402

from workbench.navigation import PAGES  # noqa: E402

IMAGES = ROOT / "docs" / "images"
IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'
SIZE = {"width": 1280, "height": 800}
PATIENCE = 300_000  # ms; on a computer with much other work
SETTLE = 2_500  # ms, until charts have been drawn
LINKS = {
    "attention": "?network=multibranch_dsc_cbam",
    "svd": "?network=efficientnet_lite0_svd_hfc",
    "lessons": "?lesson=frequency",
    "debug_challenge": "?puzzle=1",
}
"""What is chosen on a page, where it shows more than the page as it opens."""
ANIMATION = "three-clicks"
CLICKS = (
    # what is clicked, and whether its result stands below it, out of the window
    ('.st-key-class >> text="neutral"', False),  # another class
    ('[role="tab"] >> text="Methods"', True),  # the same class by every method
    ('a[href*="frequency"]:visible', False),  # the next page
)
POINTER = """([x, y]) => { const e = document.createElement('div'); e.id = 'pointer'; document.body.append(e);
e.style = `position: fixed; left: ${x - 14}px; top: ${y - 14}px; width: 28px; height: 28px; border-radius: 50%;
z-index: 10000000; background: #D55E0099; border: 3px solid #D55E00; pointer-events: none` }"""


@contextmanager
def app() -> Iterator[str]:
    """The address of the app while it runs in an empty folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(ROOT / ".streamlit", folder / ".streamlit")
        port = free_port()
        streamlit = Path(sys.executable).with_name("streamlit")
        command = [streamlit, "run", ROOT / "workbench" / "app.py", "--server.port", str(port)]
        url = f"http://127.0.0.1:{port}"
        with served(command, f"{url}/_stcore/health", folder / "log.txt", folder):
            yield url


def settle(page: Page) -> None:
    """Wait until the script has ended and charts are drawn."""
    page.wait_for_timeout(SETTLE)
    page.wait_for_selector(IDLE, state="attached")
    page.wait_for_function("() => !document.querySelector('[data-testid=stSkeleton]')")
    page.wait_for_timeout(SETTLE)


def shot(page: Page, width: int = SIZE["width"]) -> Image.Image:
    """What the window shows, `width` pixels wide."""
    image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    return image.resize((width, round(image.height * width / image.width)), Image.Resampling.LANCZOS)


def take(page: Page, url: str, name: str) -> None:
    """Write the screenshot of one page."""
    first = name == Path(PAGES[0][0]).stem
    page.goto(f"{url}/{'' if first else name}{LINKS.get(name, '')}")
    page.get_by_role("heading", level=1).first.wait_for()
    settle(page)
    target = IMAGES / "pages" / f"{name}.webp"
    shot(page).save(target, quality=80, method=6)
    print(target.relative_to(ROOT), f"{target.stat().st_size / 1000:.0f} kB")


def point(page: Page, at: Locator) -> Image.Image:
    """The window with a pointer on what is clicked next."""
    at.scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    box = at.bounding_box()
    page.evaluate(POINTER, [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2])
    image = shot(page, 960)
    page.evaluate("() => document.querySelector('#pointer').remove()")
    return image


def animate(page: Page, url: str) -> None:
    """Write the animation: before each click the pointer, after it the result."""
    page.goto(url)
    page.get_by_role("heading", level=1).first.wait_for()
    settle(page)
    frames, milliseconds = [shot(page, 960)], [1500]
    for selector, below in CLICKS:
        at = page.locator(selector).first
        frames.append(point(page, at))
        at.click()
        settle(page)
        page.mouse.move(5, 5)
        if below:
            at.evaluate("e => e.scrollIntoView({block: 'start'})")
            page.wait_for_timeout(500)
        frames.append(shot(page, 960))
        milliseconds += [1000, 2500]
    target = IMAGES / f"{ANIMATION}.webp"
    frames[0].save(target, save_all=True, append_images=frames[1:], duration=milliseconds, loop=0, quality=75, method=6)
    print(target.relative_to(ROOT), f"{target.stat().st_size / 1000:.0f} kB")


def main() -> None:
    """Make all images, or those of `--only`."""
    names = [Path(file).stem for file, *_ in PAGES]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=[*names, ANIMATION], default=[*names, ANIMATION])
    chosen = parser.parse_args().only
    (IMAGES / "pages").mkdir(parents=True, exist_ok=True)
    with app() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport=SIZE, color_scheme="light", reduced_motion="reduce")
        page.set_default_timeout(PATIENCE)
        for name in chosen:
            animate(page, url) if name == ANIMATION else take(page, url, name)
        browser.close()


if __name__ == "__main__":
    main()
