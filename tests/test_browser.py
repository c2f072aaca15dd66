"""The real thing: `streamlit run workbench/app.py`, driven by a headless Chromium as a visitor would."""

import io
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

from workbench import faces
from workbench.navigation import PAGES

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'
DESK, PHONE = {"width": 1280, "height": 720}, {"width": 390, "height": 844}

_AUGMENTED = '[data-testid="stImage"]:has(img[alt^="The face"])'
# The main way through a page: the link, what is clicked (or, with a key, pressed), and the picture that changes then.
# A page that is not named here is opened and looked at.
WAY = {
    "explain.py": ("?class=happy", '.st-key-class >> text="sad"', None, ".st-key-map"),
    "compare.py": ("?class=happy", '.st-key-class >> text="sad"', None, ".st-key-map-1"),
    "attention.py": ("?network=resnet18_bam", '.st-key-module >> text="2 BAM"', None, ".st-key-gate"),
    "frequency.py": ("", '.st-key-mask >> text="gaussian"', None, ".st-key-Low-frequencies"),
    "svd.py": ("", '.st-key-rank input[type="range"]', "PageUp", ".st-key-rank-k"),
    "robustness.py": ("", '.st-key-patch >> text="a third"', None, ".st-key-places"),
    "metrics.py": ("", '.st-key-part >> text="PublicTest"', None, ".st-key-recall"),
    "data.py": (
        "",
        '.st-key-augmentation >> text="paper-b"',
        None,
        '[data-testid="stImage"]:has(img[alt^="The face"])',
    ),
    "papers.py": ("", '.st-key-paper >> text="B"', None, ".claims"),
    "fault.py": ("?puzzle=1", ".st-key-broken label", None, ".st-key-seen"),
    "learn.py": ("?lesson=frequency", '.st-key-cut input[type="range"]', "PageUp", ".st-key-slow"),
}

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),  # one app and one browser for all of them
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium in PATH: install chromium (Debian: apt install chromium)"),
]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def app_url():
    """The app as the README starts it; its own log is shown when it does not come up."""
    url = f"http://127.0.0.1:{free_port()}"
    streamlit = Path(sys.executable).with_name("streamlit")
    command = [streamlit, "run", "workbench/app.py", "--server.port", url.rsplit(":", 1)[1]]
    server = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, "OMP_NUM_THREADS": "2"}
    )
    try:
        for _ in range(240):
            if server.poll() is not None:
                break
            try:
                urllib.request.urlopen(f"{url}/_stcore/health", timeout=2)
                break
            except OSError:
                time.sleep(0.5)
        assert server.poll() is None, server.stdout.read().decode()
        yield url
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS + QUIET)
        yield chromium
        chromium.close()


@contextmanager
def visiting(browser, app_url: str, size: dict[str, int]):
    """A tab of a visitor's own; afterwards: no request left this computer and the console holds no error."""
    outside, errors = [], []
    tab = browser.new_page(viewport=size)
    tab.set_default_timeout(60_000)
    local = (app_url, app_url.replace("http", "ws"), "data:", "blob:", "about:", "file:")
    tab.on("request", lambda r: None if r.url.startswith(local) else outside.append(r.url))
    tab.on("console", lambda m: errors.append(f"{m.text} {m.location}") if m.type == "error" else None)
    tab.on("pageerror", lambda error: errors.append(str(error)))
    try:
        yield tab
    finally:
        tab.context.close()
    assert outside == []
    assert errors == []


@pytest.fixture
def page(app_url, browser):
    """The first page, as somebody sees it who has just come."""
    with visiting(browser, app_url, DESK) as tab:
        tab.goto(app_url)
        settled(tab)
        yield tab


def settled(tab) -> None:
    """Wait until the script has ended, and the answer stands on the page."""
    tab.wait_for_selector(IDLE, state="attached")


def error_boxes(tab) -> list[str]:
    return tab.locator('[data-testid="stException"], [data-testid="stAlertContentError"]').all_inner_texts()


def too_wide(tab) -> float:
    """By how many pixels the page can be moved aside."""
    return tab.evaluate("""() => Math.max(...['html', '[data-testid="stMain"]']
        .map(one => document.querySelector(one)).map(e => e.scrollWidth - e.clientWidth))""")


def drawn(tab, chart: str) -> list[str]:
    """Everything that is drawn in a part of the page; it waits until something is."""
    found = tab.wait_for_function(
        """chart => {
            const parts = [...document.querySelectorAll(chart)].flatMap(e => [...e.querySelectorAll('*')]);
            const of = (e) => e.getAttribute('href') ?? e.getAttribute('xlink:href') ?? e.getAttribute('d') ?? e.src
                ?? (e.matches('text, td') ? e.textContent : null);
            const all = parts.map(of).filter(one => one);
            return all.length ? all : null;
        }""",
        arg=chart,
    )
    return found.json_value()


@pytest.mark.parametrize("file", [file for file, *_ in PAGES])
def test_the_main_way_through_a_page_works_on_a_phone_and_at_a_desk(app_url, browser, file):
    link, control, key, chart = WAY.get(file, ("", None, None, "h1"))
    with visiting(browser, app_url, PHONE) as tab:
        tab.goto(f"{app_url}/{'' if file == PAGES[0][0] else Path(file).stem}{link}")
        settled(tab)
        tab.get_by_role("heading", level=1).first.wait_for()
        tab.locator(chart).first.wait_for(state="attached")
        assert too_wide(tab) <= 0
        tab.set_viewport_size(DESK)
        if control:
            before = drawn(tab, chart)
            (tab.locator(control).press(key) if key else tab.locator(control).click())
            for _ in range(200):
                if drawn(tab, chart) != before:
                    break
                tab.wait_for_timeout(100)
            assert drawn(tab, chart) != before
        settled(tab)
        assert too_wide(tab) <= 0
        assert error_boxes(tab) == []


def test_a_visitor_uploads_a_picture_sees_a_map_and_switches_the_network(page):
    page.get_by_text("The network answers").wait_for()
    page.get_by_text("Upload", exact=True).click()
    page.get_by_text("No picture yet").wait_for()
    buffer = io.BytesIO()
    faces.sample_picture("grace_hopper").save(buffer, "JPEG")
    page.set_input_files(
        'input[type="file"]', {"name": "me.jpg", "mimeType": "image/jpeg", "buffer": buffer.getvalue()}
    )
    page.get_by_text("The network answers").wait_for()
    settled(page)
    assert page.locator(".js-plotly-plot .heatmaplayer image").count() >= 3
    before = page.locator(".js-plotly-plot").nth(2).inner_text()
    assert "%" in before
    page.locator('[data-testid="stSidebar"] [data-testid="stSelectbox"] input').last.click()
    page.keyboard.type("Vanilla")
    page.keyboard.press("Enter")
    page.wait_for_function(
        "before => document.querySelectorAll('.js-plotly-plot')[2]?.innerText !== before", arg=before
    )
    settled(page)
    page.get_by_text("The network answers").wait_for()
    assert error_boxes(page) == []
    for data in (b"", b"not a picture"):  # a file that is no picture is one sentence, and the next one is another
        page.set_input_files('input[type="file"]', {"name": "x.png", "mimeType": "image/png", "buffer": data})
        page.locator('[data-testid="stAlertContentError"]').first.wait_for()
        assert page.locator('[data-testid="stException"]').count() == 0
    page.get_by_text("Sample", exact=True).click()
    page.get_by_text("The network answers").wait_for()


def test_a_link_opens_the_same_view_and_the_menu_keeps_what_was_chosen(app_url, browser):
    with visiting(browser, app_url, DESK) as page:
        page.goto(f"{app_url}/?network=resnet18&sample=grace_hopper&class=sad")
        page.get_by_text("speaks for sad").first.wait_for()
        settled(page)
        assert "ResNet-18" in page.get_by_test_id("stSidebar").locator("input").first.input_value()
        assert page.url.endswith("/?network=resnet18&sample=grace_hopper&class=sad")
        page.get_by_test_id("stTopNavSection").filter(has_text="One face").click()
        page.get_by_test_id("stTopNavDropdownLink").filter(has_text="SVD").click()
        page.get_by_text("How many strokes make a face?").first.wait_for()
        settled(page)
        assert page.url.endswith("/svd?network=resnet18&sample=grace_hopper")
        assert error_boxes(page) == []


def test_what_is_on_the_screen_can_be_kept_as_one_page(page, tmp_path):
    page.get_by_text("The network answers").wait_for()
    settled(page)
    page.get_by_role("button", name="Keep this").click()
    with page.expect_download() as download:
        page.get_by_text("Report (HTML)").click()
    download.value.save_as(tmp_path / "kept.html")
    page.goto((tmp_path / "kept.html").as_uri())
    page.locator(".js-plotly-plot .heatmaplayer image").first.wait_for()
    assert "The network answers" in page.locator("main").inner_text()
