"""The choices of a visitor are in the address of the page."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from workbench import services
from workbench.services.dataset import imported
from workbench.ui import url_state

APP = Path(__file__).resolve().parents[3] / "workbench" / "app.py"


def opened(page: str = "about.py", **parameters: str) -> AppTest:
    """The app as somebody sees it first who comes by a link."""
    app = AppTest.from_file(str(APP), default_timeout=300)
    app.query_params.update(parameters)
    app.switch_page(f"../pages/{page}").run()
    assert not app.exception
    return app


def warnings(app: AppTest) -> str:
    return " ".join(w.value for w in app.warning)


def test_a_link_opens_the_same_network_and_face():
    app = opened("svd.py", network="vanilla_cnn", sample="drawn_sad")
    assert app.title[0].value == "SVD"
    assert app.selectbox(key="network").value == "vanilla_cnn"
    assert app.selectbox(key="sample").value == "drawn_sad"
    assert app.query_params == {"network": "vanilla_cnn", "sample": "drawn_sad"}


def test_what_is_chosen_is_written_by_name_and_survives_another_page():
    app = opened()
    assert app.query_params == {}  # nothing is chosen yet
    app.selectbox(key="network").set_value("resnet18").run()
    app.selectbox(key="sample").set_value("drawn_sad").run()
    assert app.query_params == {"network": "resnet18", "sample": "drawn_sad"}
    app.switch_page("../pages/svd.py").run()
    assert not app.exception
    assert app.query_params == {"network": "resnet18", "sample": "drawn_sad"}
    assert app.selectbox(key="network").value == "resnet18"
    assert app.selectbox(key="sample").value == "drawn_sad"


def test_going_back_to_the_defaults_says_so_in_the_link():
    app = opened(network="resnet18")
    app.selectbox(key="network").set_value(services.networks.DEFAULT_NETWORK).run()
    assert app.query_params == {"network": services.networks.DEFAULT_NETWORK, "sample": "astronaut"}


def test_an_upload_stays_out_of_the_link():
    app = opened(network="resnet18", sample="drawn_sad")
    app.segmented_control(key="source").set_value("Upload").run()
    assert app.query_params == {"network": "resnet18"}
    app.segmented_control(key="source").set_value("Sample").run()
    assert app.query_params == {"network": "resnet18", "sample": "drawn_sad"}  # the sample was remembered


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"network": "resnet19"}, "the network `resnet19`, which does not exist"),
        ({"network": ""}, "the network ``, which does not exist"),
        ({"sample": "../../etc/passwd"}, "the sample `../../etc/passwd`"),
        ({"set": "nowhere", "face": "Training-0-0"}, "the face `nowhere Training-0-0`, which is in no dataset"),
        ({"set": "nowhere"}, "the face `nowhere`"),
        ({"face": "Training-0-0"}, "Training-0-0`, which is in no dataset"),
    ],
)
def test_a_wrong_value_gives_way_to_the_default_with_a_sentence(parameters, said):
    app = opened(**parameters)
    assert said in warnings(app)
    assert app.selectbox(key="network").value == services.networks.DEFAULT_NETWORK
    assert app.selectbox(key="sample").value == "astronaut"
    app.run()
    assert said not in warnings(app)  # once is enough


def test_a_link_cannot_format_the_page():
    assert url_state.quoted("a` ![x](http://somewhere/x.png)\n# b") == "`a ![x](http://somewhere/x.png) # b`"
    assert len(url_state.quoted(1000 * "x")) == 62


def test_a_wrong_value_of_a_widget_is_a_sentence_too():
    def page():
        import streamlit as st

        from workbench.ui import url_state

        url_state.begin()
        st.slider("Rank", 1, 48, 8, key="rank", bind="query-params")
        st.slider("Share", 0.0, 1.0, 0.5, 0.1, key="share", bind="query-params")
        st.segmented_control("Class", ("happy", "sad"), default="sad", key="class", bind="query-params")
        url_state.write({}, {})
        url_state.check()
        url_state.warn()

    def asked(**parameters: str) -> AppTest:
        app = AppTest.from_function(page)
        app.query_params.update(parameters)
        return app.run()

    wrong = asked(rank="many", share="7", **{"class": "hungry"}, utm_source="news")
    assert not wrong.exception
    assert wrong.slider(key="rank").value == 8
    for said in ("`rank` = `many`, which is not valid here; using 8", "`share` = `7`", "`class` = `hungry`"):
        assert said in warnings(wrong)
    assert "utm_source" not in warnings(wrong)
    for fine in ({"rank": "3", "class": "happy"}, {"rank": "8", "share": "0.5", "class": "sad"}):
        app = asked(**fine)
        assert not app.warning, fine
        assert app.slider(key="rank").value == int(fine["rank"])


def test_networks_are_chosen_by_title_and_stand_in_the_address_by_name():
    def page():
        import streamlit as st

        from workbench.ui import url_state

        titles = {"resnet18": "ResNet-18", "rarn": "RARN"}
        url_state.begin()
        url_state.choose_by_name("One", titles, "resnet18", "detail", st.container())
        url_state.choose_by_name("Several", titles, ["rarn"], "networks")
        url_state.warn()

    def asked(**parameters) -> AppTest:
        app = AppTest.from_function(page)
        app.query_params.update(parameters)
        app.run()
        assert not app.exception
        return app

    def values(app: AppTest) -> tuple:
        return app.selectbox[0].value, app.multiselect[0].value

    app = asked()
    assert app.selectbox[0].options == app.multiselect[0].options == ["ResNet-18", "RARN"]
    assert values(app) == ("resnet18", ["rarn"])
    assert app.query_params == {}  # the defaults
    app.selectbox[0].set_value("rarn").run()
    app.multiselect[0].set_value(["rarn", "resnet18"]).run()
    assert values(app) == ("rarn", ["rarn", "resnet18"])
    assert app.query_params == {"detail": "rarn", "networks": ["rarn", "resnet18"]}
    assert values(asked(**app.query_params)) == values(app)
    app.multiselect[0].set_value([]).run()
    assert values(asked(**app.query_params)) == values(app) == ("rarn", [])
    wrong = asked(detail="vgg", networks=["resnet18", "vgg"])
    assert values(wrong) == ("resnet18", ["resnet18"])
    assert "`detail` = `vgg`, which is not valid here; using resnet18" in warnings(wrong)
    assert values(asked(networks="vgg")) == ("resnet18", ["rarn"])


@pytest.mark.parametrize(("old", "new"), url_state.EARLIER["test"].items())
def test_a_link_with_an_earlier_name_of_an_option_opens_the_same_view(old, new):
    app = opened("debug_challenge.py", test=old)
    assert app.segmented_control(key="test").value == new
    assert warnings(app) == ""
    assert app.run().segmented_control(key="test").value == new


@pytest.mark.parametrize(
    ("link", "new"),
    [
        *(({"look": old}, new) for old, new in url_state.EARLIER["tab"].items()),
        ({"look": "Methods"}, "Methods"),
        ({"tab": "Methods", "look": "Trust"}, "Methods"),
        ({"tab": "Methods"}, "Methods"),
        ({"layer": "stage1"}, "Layers"),
    ],
)
def test_a_link_of_any_age_opens_its_tab_on_explain(link, new):
    app = opened("explain.py", **link)
    assert app.session_state["tab"] == new
    assert "look" not in app.query_params
    assert warnings(app) == ""


def test_an_earlier_name_of_an_option_holds_until_its_page_is_opened():
    app = opened("about.py", look="Trust")
    app.switch_page("../pages/explain.py").run()
    assert app.session_state["tab"] == "Faithfulness"
    assert warnings(app) == ""


def test_without_an_imported_set_the_source_says_how_to_get_one(tmp_path, monkeypatch):
    monkeypatch.setattr(imported, "FOLDER", tmp_path)
    app = opened("svd.py")
    app.segmented_control(key="source").set_value("Dataset").run()
    assert not app.exception
    assert "ferscope data import" in app.info[0].value
    assert "ferscope data import" in " ".join(c.value for c in app.caption)


def test_what_is_remembered_of_a_visitor_is_no_control_of_the_link():
    assert warnings(opened(answers="1", screen="2", picture="3")) == ""
