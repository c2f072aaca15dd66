"""The real thing: `streamlit run workbench/app.py`, driven by a headless Chromium as a visitor would."""

import io
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
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
    "attention.py": ("?network=multibranch_dsc_cbam", '.st-key-module >> text="2 CBAM"', None, ".st-key-gate"),
    "frequency.py": ("", '.st-key-cutoff input[type="range"]', "PageUp", ".st-key-Low-frequencies"),
    "svd.py": ("", '.st-key-rank input[type="range"]', "PageUp", ".st-key-rank-k"),
    "robustness.py": ("", '.st-key-right input[type="range"]', "PageUp", ".st-key-after"),
    "metrics.py": ("?checkpoints=residual_cnn", '.st-key-part >> text="PublicTest"', None, ".st-key-recall"),
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
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
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
def tab():
    """One tab for all visits, so that Streamlit's own files are read once; each opening of a page is a visitor."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS + QUIET)
        found = browser.new_page(viewport=DESK)
        found.set_default_timeout(60_000)
        yield found
        browser.close()


@pytest.fixture
def page(app_url, tab):
    """An empty tab; afterwards: no request left this computer and the console holds no error."""
    outside, errors = [], []
    local = (app_url, app_url.replace("http", "ws"), "data:", "blob:", "about:", "file:")
    watch = {
        "request": lambda r: None if r.url.startswith(local) else outside.append(r.url),
        "console": lambda m: errors.append(f"{m.text} {m.location}") if m.type == "error" else None,
        "pageerror": lambda error: errors.append(str(error)),
    }
    for event, note in watch.items():
        tab.on(event, note)
    tab.set_viewport_size(DESK)
    yield tab
    tab.goto("about:blank")
    for event, note in watch.items():
        tab.remove_listener(event, note)
    assert outside == []
    assert errors == []


def settled(tab) -> None:
    """Wait until the script has ended, and the answer stands on the page."""
    tab.wait_for_selector(IDLE, state="attached")


def error_boxes(tab) -> list[str]:
    return tab.locator('[data-testid="stException"], [data-testid="stAlertContentError"]').all_inner_texts()


def too_wide(tab) -> float:
    """By how many pixels the page can be moved aside."""
    return tab.evaluate("""() => Math.max(...['html', '[data-testid="stMain"]']
        .map(one => document.querySelector(one)).map(e => e.scrollWidth - e.clientWidth))""")


# Everything that is drawn in a part of the page, in one text; nothing, as long as nothing is.
DRAWN = """chart => [...document.querySelectorAll(chart)].flatMap(e => [...e.querySelectorAll('*')])
    .map(e => e.getAttribute('href') ?? e.getAttribute('xlink:href') ?? e.getAttribute('d') ?? e.src
        ?? (e.matches('text, td') ? e.textContent : '')).join('')"""


def drawn(tab, chart: str) -> str:
    """Everything that is drawn in a part of the page; it waits until something is."""
    return tab.wait_for_function(DRAWN, arg=chart, polling=100).json_value()


@pytest.mark.parametrize("file", [file for file, *_ in PAGES])
def test_the_main_way_through_a_page_works_on_a_phone_and_at_a_desk(app_url, page, file):
    link, control, key, chart = WAY.get(file, ("", None, None, "h1"))
    page.set_viewport_size(PHONE)
    page.goto(f"{app_url}/{'' if file == PAGES[0][0] else Path(file).stem}{link}")
    settled(page)
    page.get_by_role("heading", level=1).first.wait_for()
    page.locator(chart).first.wait_for(state="attached")
    assert too_wide(page) <= 0
    page.set_viewport_size(DESK)
    if control:
        before = drawn(page, chart)
        (page.locator(control).press(key) if key else page.locator(control).click())
        page.wait_for_function(
            f"([chart, before]) => `${{({DRAWN})(chart)}}` !== before", arg=[chart, before], polling=100
        )
    settled(page)
    assert too_wide(page) <= 0
    assert error_boxes(page) == []


def test_a_visitor_uploads_a_picture_sees_a_map_and_switches_the_network(app_url, page):
    page.goto(app_url)
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


def test_a_link_opens_the_same_view_which_the_menu_and_a_report_keep(app_url, page, tmp_path):
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
    page.get_by_role("button", name="Keep this").click()
    with page.expect_download() as download:
        page.get_by_text("Report (HTML)").click()
    download.value.save_as(tmp_path / "kept.html")
    page.goto((tmp_path / "kept.html").as_uri())
    page.locator(".js-plotly-plot .heatmaplayer image").first.wait_for()
    assert "Term 8 alone" in page.locator("main").inner_text()
