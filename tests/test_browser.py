"""The real thing: `streamlit run workbench/app.py`, driven by a headless Chromium as a visitor would."""

import io
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from workbench import faces

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),  # one app for all of them
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


@pytest.fixture
def page(app_url):
    """A tab on the app; afterwards: no request left this computer and the console holds no error."""
    from playwright.sync_api import sync_playwright

    outside, errors = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS + QUIET)
        tab = browser.new_page(viewport={"width": 1280, "height": 720})
        tab.set_default_timeout(30_000)
        local = (app_url, app_url.replace("http", "ws"), "data:", "blob:", "about:", "file:")
        tab.on("request", lambda r: None if r.url.startswith(local) else outside.append(r.url))
        tab.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        tab.goto(app_url)
        settled(tab)
        yield tab
        browser.close()
    assert outside == []
    assert errors == []


def settled(tab) -> None:
    """Wait until the script has ended, and the answer stands on the page."""
    tab.wait_for_selector(IDLE, state="attached")


def error_boxes(tab) -> list[str]:
    return tab.locator('[data-testid="stException"], [data-testid="stAlertContentError"]').all_inner_texts()


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


def test_a_click_on_another_class_changes_the_map_only(page):
    page.get_by_text("The network answers").wait_for()
    picture = page.locator(".js-plotly-plot").nth(1).locator(".heatmaplayer image").last
    before = picture.get_attribute("xlink:href") or picture.get_attribute("href")
    page.get_by_role("radio", name="sad").or_(page.get_by_role("button", name="sad")).first.click()
    page.get_by_text("speaks for sad").or_(page.get_by_text("no place speaks for sad")).first.wait_for()
    settled(page)
    last = page.locator(".js-plotly-plot").nth(1).locator(".heatmaplayer image").last
    assert (last.get_attribute("xlink:href") or last.get_attribute("href")) != before
    assert error_boxes(page) == []


def test_the_about_page_opens_from_the_menu(page):
    page.get_by_test_id("stTopNavSection").filter(has_text="FERScope").click()
    page.get_by_test_id("stTopNavDropdownLink").filter(has_text="About").click()
    page.get_by_text("Article 5(1)(f)").wait_for()
    assert error_boxes(page) == []


@pytest.mark.parametrize("data", [b"", b"not a picture"], ids=["empty", "words"])
def test_a_file_that_is_no_picture_is_one_sentence(page, data):
    page.get_by_text("Upload", exact=True).click()
    page.set_input_files('input[type="file"]', {"name": "x.png", "mimeType": "image/png", "buffer": data})
    page.locator('[data-testid="stAlertContentError"]').first.wait_for()
    assert page.locator('[data-testid="stException"]').count() == 0
    page.get_by_text("Sample", exact=True).click()
    page.get_by_text("The network answers").wait_for()


def test_a_phone_shows_the_same_answer(app_url, page):
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_text("The network answers").wait_for()
    overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert overflow <= 0


def test_a_link_opens_the_same_view_and_the_menu_keeps_what_was_chosen(app_url, page):
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
