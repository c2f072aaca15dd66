"""The real thing: `streamlit run workbench/app.py`, driven by a headless Chromium as a visitor would."""

import io
import re
import sys
from pathlib import Path

import pytest
from helpers.accessibility import severe_findings, tab_to
from helpers.browser import CHROMIUM, FLAGS, free_port, needs_chromium, served

from models import get_spec, list_models
from workbench import faces
from workbench.navigation import PAGES

IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'
DESK, PHONE = {"width": 1280, "height": 720}, {"width": 390, "height": 844}

DARK = "getComputedStyle(document.querySelector('[data-testid=stApp]')).colorScheme === 'dark'"
# Streamlit's own: the list of pages in the sidebar has a block for each section between itself and its items.
KNOWN = dict.fromkeys(("list", "listitem"), '[data-testid="stSidebarNavItems"]')

# The main way through a page: the link, what is clicked (or, with a key, pressed), and the picture that changes then.
# A page that is not named here is opened and looked at.
WAY = {
    "explain.py": ("?class=happy", '.st-key-class >> text="sad"', None, ".st-key-map"),
    "compare.py": ("?class=happy", '.st-key-class >> text="sad"', None, ".st-key-map-1"),
    "attention.py": ("?network=multibranch_dsc_cbam", '.st-key-module >> text="2 CBAM"', None, ".st-key-gate"),
    "frequency.py": ("", '.st-key-cutoff input[type="range"]', "PageUp", ".st-key-Low-frequencies"),
    "svd.py": ("", '.st-key-rank input[type="range"]', "PageUp", ".st-key-rank-k"),
    "robustness.py": ("?tab=Crop", '.st-key-right input[type="range"]', "PageUp", ".st-key-after"),
    "metrics.py": ("?checkpoints=residual_cnn", '.st-key-part >> text="PublicTest"', None, ".st-key-recall"),
    "dataset.py": (
        "?tab=Augmentation",
        '.st-key-augmentation >> text="paper-b"',
        None,
        '[data-testid="stImage"]:has(img[alt^="The face"])',
    ),
    "papers.py": ("", '.st-key-paper >> text="B"', None, ".claims"),
    "debug_challenge.py": ("?puzzle=1", ".st-key-broken label", None, ".st-key-seen"),
    "lessons.py": ("?lesson=frequency", '.st-key-cut input[type="range"]', "PageUp", ".st-key-low"),
}

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),  # one app and one browser for all of them
    needs_chromium,
]


@pytest.fixture(scope="module")
def app_url(tmp_path_factory):
    """The app as the README starts it."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    streamlit = Path(sys.executable).with_name("streamlit")
    command = [streamlit, "run", "workbench/app.py", "--server.port", str(port)]
    with served(command, f"{url}/_stcore/health", tmp_path_factory.mktemp("app") / "log.txt"):
        yield url


@pytest.fixture(scope="module")
def tab():
    """One tab for all visits, so that Streamlit's own files are read once; each opening of a page is a visitor."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        found = browser.new_page(
            viewport=DESK, reduced_motion="reduce"
        )  # to draw transitions takes a tenth of the time
        found.set_default_timeout(300_000)
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
    tab.emulate_media(color_scheme="light")
    yield tab
    tab.goto("about:blank")
    for event, note in watch.items():
        tab.remove_listener(event, note)
    assert outside == []
    assert errors == []


def settled(tab) -> None:
    """Wait until the script has ended. Wait for something that only its result has before: until a script starts,
    the last one has ended, too."""
    tab.wait_for_selector(IDLE, state="attached")


def error_boxes(tab) -> list[str]:
    return tab.locator('[data-testid="stException"], [data-testid="stAlertContentError"]').all_inner_texts()


# What the charts, images and tables in a part of the page show, whatever their size; empty until they are drawn and the
# script has ended. What the last run left behind is marked stale, and stands beside the new for a moment.
SHOWN = f"""part => !document.querySelector('{IDLE}') ? '' : [...document.querySelectorAll(part)]
    .filter(e => !e.closest('[data-stale="true"]')).flatMap(e => [e, ...e.querySelectorAll('*')]).map(e =>
        e.matches('.js-plotly-plot') ? e.querySelector('.main-svg')
            && JSON.stringify([e.data, e.layout.images, e.layout.annotations?.map(one => one.text)])
        : e.matches('img') ? e.complete && e.src : e.matches('td') && e.textContent).filter(Boolean).join('')"""


def shown(tab, part: str, instead_of: str = "") -> str:
    """Wait until the script has ended, and a part of the page shows something, and something else than before."""
    return tab.wait_for_function(
        f"([part, before]) => {{ const now = ({SHOWN})(part); return now !== before && now }}", arg=[part, instead_of]
    ).json_value()


def overlaps(tab) -> list[str]:
    """What is cut or overlaps, once the charts have the size of the window."""
    tab.wait_for_timeout(300)
    return tab.evaluate(Path(__file__).with_name("helpers").joinpath("overlaps.js").read_text("utf-8"))


def title(tab, text: str | None = None):
    """The title of a page, which no other page has."""
    return tab.get_by_role("heading", level=1, name=text).first


@pytest.mark.parametrize("file", [file for file, *_ in PAGES])
def test_the_main_way_through_a_page_works_on_a_phone_and_at_a_desk(app_url, page, file):
    link, control, key, part = WAY.get(file, ("", None, None, None))
    browser = page.context.new_cdp_session(page)
    for agent, size in ((f"{page.evaluate('navigator.userAgent')} Mobile", PHONE), ("", DESK)):
        browser.send("Network.setUserAgentOverride", {"userAgent": agent})
        page.set_viewport_size(size)
        page.goto(f"{app_url}/{'' if file == PAGES[0][0] else Path(file).stem}{link}")
        title(page).wait_for()
        settled(page)
        before = part and shown(page, part)
        assert overlaps(page) == []
    if control:
        (page.locator(control).press(key) if key else page.locator(control).click())
        shown(page, part, instead_of=before)
    assert overlaps(page) == []
    assert error_boxes(page) == []
    assert severe_findings(page, KNOWN) == []
    in_words = page.locator("img, [role=figure]").evaluate_all("all => all.map(e => e.alt ?? e.ariaLabel ?? '')")
    assert [words for words in in_words if len(words.split()) < 3 and words != "Logo"] == []
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(DARK)
    settled(page)
    assert severe_findings(page, KNOWN, only=("color-contrast",)) == []


def test_class_and_details_on_explain_are_chosen_by_the_keyboard(app_url, page):
    page.goto(app_url)
    page.get_by_role("figure", name="Grad-CAM for happy").wait_for()
    settled(page)
    tab_to(page, page.locator(".st-key-class"))
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    page.get_by_role("figure", name="Grad-CAM for disgust over the face").wait_for()
    tab_to(page, page.get_by_role("tab", name="Uncertainty"))
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    page.get_by_role("figure", name="Grad-CAM for every class: angry").wait_for()


def test_a_lesson_and_the_start_of_a_training_need_no_mouse(app_url, page):
    page.goto(f"{app_url}/lessons?lesson=frequency")
    page.get_by_role("figure", name="low-frequency component").wait_for()
    settled(page)
    before = shown(page, ".st-key-low")
    tab_to(page, page.locator(".st-key-cut"))
    page.keyboard.press("PageUp")
    shown(page, ".st-key-low", instead_of=before)
    tab_to(page, page.get_by_role("button", name="Predict"))
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Submit and reveal").wait_for()
    page.goto(f"{app_url}/train")
    page.get_by_role("button", name="Start training").wait_for()
    settled(page)
    tab_to(page, page.get_by_role("button", name="Start training"))
    assert page.get_by_role("button", name="Start training").is_enabled()


def test_a_visitor_uploads_an_image_sees_a_map_and_switches_the_network(app_url, page):
    answer = page.get_by_text("Prediction: ")
    page.goto(app_url)
    answer.wait_for()
    page.get_by_role("button", name="Face", exact=True).click()
    page.get_by_text("Upload", exact=True).click()
    page.get_by_text("No image yet").wait_for()
    answer.wait_for(state="hidden")
    buffer = io.BytesIO()
    faces.sample_picture("grace_hopper").save(buffer, "JPEG")
    page.set_input_files(
        'input[type="file"]', {"name": "me.jpg", "mimeType": "image/jpeg", "buffer": buffer.getvalue()}
    )
    answer.wait_for()
    page.locator(".js-plotly-plot .heatmaplayer image").nth(2).wait_for(state="attached")
    settled(page)
    before = shown(page, ".st-key-probabilities")
    page.keyboard.press("Escape")
    page.locator(".st-key-network input").click()
    page.keyboard.type("Vanilla")
    page.get_by_role("option", name="Vanilla").first.click()
    shown(page, ".st-key-probabilities", instead_of=before)
    assert answer.is_visible()
    assert "network=vanilla_cnn" in page.url
    assert error_boxes(page) == []
    page.get_by_role("button", name="Face", exact=True).click()
    for data in (b"", b"not a picture"):  # a file that is no picture is one sentence, and the next one is another
        with pytest.raises(faces.PictureError) as refused:
            faces.read(data)
        page.set_input_files('input[type="file"]', {"name": "x.png", "mimeType": "image/png", "buffer": data})
        page.get_by_test_id("stAlertContentError").filter(has_text=str(refused.value)).wait_for()
        answer.wait_for(state="hidden")
        assert page.locator('[data-testid="stException"]').count() == 0
    page.get_by_text("Sample", exact=True).click()
    answer.wait_for()


def test_a_link_to_the_earlier_name_of_a_page_opens_the_page_with_what_it_says(app_url, page):
    page.goto(f"{app_url}/fault?puzzle=2&network=vanilla_cnn")
    page.wait_for_url("**/debug_challenge?*")
    settled(page)
    assert "puzzle=2" in page.url
    assert "network=vanilla_cnn" in page.url
    assert error_boxes(page) == []


def test_a_link_opens_the_same_view_which_the_menu_and_a_report_keep(app_url, page, tmp_path):
    page.goto(f"{app_url}/?network=resnet18&sample=grace_hopper&class=sad")
    page.get_by_text("Grad-CAM for sad").first.wait_for()
    settled(page)
    assert "ResNet-18" in page.locator(".st-key-network input").input_value()
    assert page.url.endswith("/?network=resnet18&sample=grace_hopper&class=sad")
    page.get_by_test_id("stSidebarNavLink").filter(has_text="SVD").click()
    title(page, "SVD").wait_for()
    page.wait_for_url(re.compile(r"/svd\?network=resnet18&sample=grace_hopper$"))
    settled(page)
    assert error_boxes(page) == []
    page.get_by_role("tab", name="Results").click()
    page.wait_for_url("**&tab=Results")
    page.go_back()
    page.get_by_text("Grad-CAM for sad").first.wait_for()
    page.go_forward()
    page.get_by_text("Accuracy with and without attention").wait_for()
    assert page.url.endswith("&tab=Results")
    assert page.get_by_role("tab", name="Results").get_attribute("aria-selected") == "true"
    page.get_by_role("tab", name="Low rank").click()
    shown(page, ".st-key-rank-k")
    settled(page)
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_text("Report (HTML)").click()
    download.value.save_as(tmp_path / "kept.html")
    page.goto((tmp_path / "kept.html").as_uri())
    page.locator(".js-plotly-plot .heatmaplayer image").first.wait_for()
    assert "Component 8" in page.locator("main").inner_text()


@pytest.mark.parametrize("link", ["?tab=Attention+maps", "svd?tab=SVD+attention"])
def test_a_button_in_a_tab_shows_a_network_that_has_attention(app_url, page, link):
    page.goto(f"{app_url}/{link}")
    button = page.locator(".st-key-shown-instead button")
    title = button.inner_text().removeprefix("Choose ").strip()
    button.click()
    page.wait_for_function("title => document.querySelector('.st-key-network input').value.includes(title)", arg=title)
    settled(page)
    assert f"network={next(name for name in list_models() if get_spec(name).title == title)}" in page.url
    assert error_boxes(page) == []
