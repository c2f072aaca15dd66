"""What holds for every page, now and later: the menu says which there are."""

import io
import json
import shutil
from functools import lru_cache

import pytest
from streamlit.testing.v1 import AppTest

from models import checkpoints
from workbench import faces, services
from workbench.jobs import store
from workbench.navigation import FOLDER, PAGES

APP = FOLDER.parent / "workbench" / "app.py"
NETWORKS = ("residual_cnn", "resnet18_svd_lfc", "ensemble")
"""A trained one, one with attention and random weights, and one that has no layer for maps."""
every_page = pytest.mark.parametrize("page", [file for file, *_ in PAGES])


def opened(page: str, **link: str) -> AppTest:
    """A page as somebody sees it first who comes by a link."""
    app = AppTest.from_file(str(APP), default_timeout=300)
    app.query_params.update(link)
    if page != PAGES[0][0]:
        app.switch_page(f"../pages/{page}")
    app.run()
    assert faults(app) == []
    return app


def faults(app: AppTest) -> list[str]:
    """What went wrong, in words; a page without its title is a fault too."""
    return [e.message for e in app.exception] + [e.value for e in app.error] + ["no title"] * (len(app.title) != 1)


@lru_cache
def png() -> bytes:
    buffer = io.BytesIO()
    faces.sample_picture("grace_hopper").save(buffer, "PNG")
    return buffer.getvalue()


@every_page
def test_a_page_shows_its_title_and_question_for_every_kind_of_network_and_face(page):
    app = opened(page)
    assert app.title[0].value == next(title for file, title, *_ in PAGES if file == page)
    question = [element for element in app.main if element.type in ("title", "markdown")][1]
    assert question.value.endswith("?"), "the question stands right below the title"
    assert app.session_state["screen"].question == question.value
    shown = len(app.main)

    def choose(name: str) -> None:
        app.selectbox(key="network").set_value(name).run()
        assert faults(app) == [], (app.session_state["face_name"] or "no face", name)

    uses = next(uses for file, *_, uses in PAGES if file == page)
    several = NETWORKS if "network" in uses else NETWORKS[:1]  # where the page reads the network
    for network in several[1:]:
        choose(network)
    app.segmented_control(key="source").set_value("Upload")
    choose(several[0])
    assert app.session_state["face"] is None
    assert len(app.main) >= shown or "No image yet" in app.info[0].value  # or it needs no face
    app.file_uploader[0].upload("me.png", png())
    choose(several[-1])
    assert app.session_state["face_name"] == "uploaded image"


@every_page
def test_every_slider_and_choice_of_a_page_moves_to_its_ends(page):
    app = opened(page)
    for end, place in (("min", 0), ("max", -1)):
        for slider in app.main.slider:
            slider.set_value(getattr(slider, end))
        for control in app.main.segmented_control:
            control.set_value(control.options[place])
        app.run()
        assert faults(app) == [], end


@every_page
def test_a_link_opens_every_page_and_a_wrong_one_gives_way_to_the_defaults(page):
    app = opened(page, network="vanilla_cnn", sample="drawn_sad")
    assert app.selectbox(key="network").value == "vanilla_cnn"
    assert app.selectbox(key="sample").value == "drawn_sad"
    # Only what Streamlit ties to the link by itself, and where nonsense is not a text like any other.
    bound = [w for w in (*app.main.slider, *app.main.button_group, *app.main.selectbox) if w.proto.query_param_key]
    wrong = opened(page, **{w.proto.query_param_key: "nonsense" for w in bound}, network="nobody", sample="nobody")
    assert wrong.selectbox(key="network").value == services.networks.DEFAULT_NETWORK
    assert "`nobody`, which does not exist here" in wrong.warning[0].value
    assert wrong.warning[0].value.count("nonsense") <= len(bound)


@pytest.mark.parametrize(
    "page", ["explain.py", "frequency.py", "metrics.py", "papers.py", "dataset.py", "debug_challenge.py"]
)
def test_a_link_that_was_cut_off_opens_the_page_with_its_defaults(page):
    whole = opened(page, **({"tab": "Augmentation"} if page == "dataset.py" else {}))
    bound = {w.proto.query_param_key for w in whole.main.button_group if w.proto.query_param_key}
    assert bound
    cut = opened(page, **dict.fromkeys(bound, ""), **({"tab": "Augmentation"} if page == "dataset.py" else {}))
    assert faults(cut) == []
    assert [m.value for m in cut.main.markdown] == [m.value for m in whole.main.markdown]


@pytest.mark.parametrize("page", [file for file, *_, uses in PAGES if "network" in uses and file != "attention.py"])
def test_a_damaged_checkpoint_is_a_sentence(page, tmp_path, monkeypatch):
    folder = tmp_path / "residual_cnn"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"not a checkpoint")
    (folder / "card.json").write_text("{}")
    monkeypatch.setattr(checkpoints, "ROOT", tmp_path)
    app = AppTest.from_file(str(APP), default_timeout=300)
    app.query_params["networks"] = ["residual_cnn", "vanilla_cnn"]  # for the page Compare
    app.query_params["lesson"] = "convolution"
    app.switch_page(f"../pages/{page}").run()
    assert not app.exception
    said = (
        "Get the shipped ones again" if page == "lessons.py" else "is not the card of a checkpoint"
    )  # of its networks
    assert said in "".join(e.value for e in app.error)


@pytest.mark.parametrize("page", [file for file, *_ in PAGES])
def test_damaged_cards_and_jobs_take_down_no_page(page, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "ROOT", tmp_path / "jobs")
    for name, card in (("copied", {"metrics": [1]}), ("resnet18", {"input_size": 10**6, "temperature": "x"})):
        shutil.copytree(checkpoints.ROOT / "vanilla_cnn", tmp_path / "shelf" / name)
        path = tmp_path / "shelf" / name / "card.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | card))
    for name in ("residual_cnn", "residual_cnn-quick-official-s0"):
        shutil.copytree(checkpoints.checkpoint_folder(name), tmp_path / "shelf" / name)
    for i, (file, text) in enumerate((("status.json", "{"), ("history.csv", "1,abc"), ("config.json", "[]"))):
        job = store.ROOT / f"20260101-00000{i}-nothing-000{i}"
        job.mkdir(parents=True)
        (job / file).write_text(text)
    monkeypatch.setattr(checkpoints, "ROOT", tmp_path / "shelf")
    app = opened(page)
    assert faults(app) == []
    if any(box.key == "network" for box in app.selectbox):
        told = "".join(text.value for text in app.text)
        assert "copied/card.json" in told
        assert "resnet18/card.json" in told


def test_a_network_without_svd_attention_offers_one_that_has_it():
    app = opened("svd.py", tab="SVD attention")
    assert "has no SVD attention" in app.info[0].value
    next(b for b in app.main.button if b.key == "shown-instead").click().run()
    assert faults(app) == []
    assert app.selectbox(key="network").value == services.svd.svd_networks()[0]
    assert "This gate is not a map of evidence" in "".join(w.value for w in app.warning)


@pytest.mark.parametrize(
    ("network", "query", "products"),
    [
        ("resnet18_svd_hfc", "high-frequency component h", ""),
        ("resnet18_svd_lfc", "low-frequency component l", ""),
        ("resnet18_svd_hfc_lfc_hl", "high-frequency component h", "the first of 3"),
    ],
)
def test_the_steps_of_svd_attention_name_the_query_that_the_network_has(network, query, products):
    text = "".join(m.value for m in opened("svd.py", network=network, tab="SVD attention").markdown)
    assert query in text
    assert products in text
