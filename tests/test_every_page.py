"""What holds for every page, now and later: the menu says which there are."""

import pytest
from streamlit.testing.v1 import AppTest

from workbench import faces, services
from workbench.navigation import FOLDER, PAGES

APP = FOLDER.parent / "workbench" / "app.py"
every_page = pytest.mark.parametrize("page", [file for file, _, _ in PAGES])


def opened(page: str) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=90).run()
    app.switch_page(f"../pages/{page}").run()
    assert not app.exception
    return app


def no_error(app: AppTest) -> bool:
    return not app.exception and not app.error


@every_page
def test_a_page_asks_a_question_and_opens_without_an_error(page):
    app = opened(page)
    assert no_error(app)
    assert len(app.title) == 1
    assert app.title[0].value.endswith("?")


@every_page
@pytest.mark.parametrize("network", ["vanilla_cnn", "resnet18_svd_lfc", "mobilenet_v2_bam"])
def test_a_page_takes_every_kind_of_network(page, network):
    app = opened(page)
    app.selectbox(key="network").set_value(network).run()
    assert no_error(app)


@every_page
def test_a_page_takes_a_drawn_face(page):
    app = opened(page)
    app.selectbox(key="sample").set_value(faces.samples()[-1].name).run()
    assert no_error(app)


@every_page
def test_a_page_without_a_picture_says_so_or_needs_none(page):
    app = opened(page)
    app.segmented_control(key="source").set_value("Upload").run()
    assert no_error(app)
    assert page == "about.py" or "No picture yet" in app.info[0].value


@every_page
def test_every_slider_and_choice_of_a_page_moves_to_its_ends(page):
    app = opened(page)
    for key in [s.key for s in app.main.slider]:
        for end in ("min", "max"):
            slider = app.slider(key=key)
            slider.set_value(getattr(slider, end)).run()
            assert no_error(app), f"{key} at its {end}"
    for key in [c.key for c in app.main.button_group]:
        for option in range(2):
            control = app.segmented_control(key=key)
            control.set_value(control.options[-1 - option]).run()
            assert no_error(app), key


def test_a_network_without_svd_attention_offers_one_that_has_it():
    app = opened("svd.py")
    assert "has no SVD attention" in app.info[0].value
    app.button[0].click().run()
    assert no_error(app)
    assert app.selectbox(key="network").value == services.svd_networks()[0]
    assert "What this gate is not" in "".join(w.value for w in app.warning)


@pytest.mark.parametrize(
    ("network", "query", "products"),
    [
        ("resnet18_svd_hfc", "fast waves h", ""),
        ("resnet18_svd_lfc", "slow waves l", ""),
        ("resnet18_svd_hfc_lfc_hl", "fast waves h", "the first of 3"),
    ],
)
def test_the_steps_of_svd_attention_name_the_query_that_the_network_has(network, query, products):
    app = opened("svd.py")
    app.selectbox(key="network").set_value(network).run()
    assert no_error(app)
    text = "".join(m.value for m in app.markdown)
    assert query in text
    assert products in text
