"""What a browser shows where the app cannot be reached, or another site wants it in a frame."""

import sys
from pathlib import Path

import pytest
from helpers.browser import CHROMIUM, FLAGS, free_port, needs_chromium, served

from workbench.ui import shell

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), needs_chromium]
SENTENCE = "This page cannot connect to FERScope"


@pytest.fixture(scope="module")
def app_url(tmp_path_factory):
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [Path(sys.executable).with_name("ferscope"), "app", "--port", str(port)]
    with served(command, f"{url}/_stcore/health", tmp_path_factory.mktemp("app") / "log.txt"):
        yield url


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        names = "--host-resolver-rules=MAP teacher-pc 127.0.0.1"
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, names])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium):
    page = chromium.new_page()
    page.set_default_timeout(300_000)
    yield page
    page.close()


def test_a_page_without_websockets_says_what_to_do_and_stops_when_it_has_them(app_url, page):
    blocked = True
    page.route_web_socket("**/*", lambda socket: socket.close() if blocked else socket.connect_to_server())
    page.clock.install()
    page.goto(app_url)
    page.clock.fast_forward(1000 * shell.PATIENCE)
    alert = page.get_by_text(SENTENCE)
    alert.wait_for()
    assert "--host-name 127.0.0.1" in alert.inner_text()
    assert alert.get_attribute("role") == "alert"
    blocked = False
    page.wait_for_selector('[data-test-connection-state="CONNECTED"]')
    alert.wait_for(state="detached")


def test_a_page_that_is_connected_says_nothing(app_url, page):
    page.clock.install()
    page.goto(f"{app_url}/about")
    page.wait_for_selector('[data-test-connection-state="CONNECTED"]')
    page.clock.fast_forward(1000 * shell.PATIENCE)
    assert page.get_by_text(SENTENCE).count() == 0


def test_a_page_under_another_name_says_how_to_allow_it(app_url, page):
    page.goto(app_url.replace("127.0.0.1", "teacher-pc"))
    assert "ferscope app --host-name teacher-pc" in page.inner_text("body")


def test_another_site_cannot_show_the_app_in_a_frame(app_url, page):
    page.set_content(f'<iframe src="{app_url}"></iframe>')
    page.wait_for_function("frames.length === 1")
    page.wait_for_timeout(3000)
    (frame,) = page.frames[1:]
    assert not frame.url.startswith(app_url)
