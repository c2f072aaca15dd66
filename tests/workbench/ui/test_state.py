"""What a visitor has chosen."""

from streamlit.testing.v1 import AppTest

from workbench import services


def page():
    import streamlit as st

    from workbench.ui import state

    classes = ("angry", "happy", "sad") if st.toggle("Fewer", key="fewer") else ("angry", "happy", "sad", "contempt")
    answer = st.selectbox("Answer", ("happy", "sad"), key="answer")
    st.write(state.choose_class(classes, answer))


def shown(app: AppTest) -> str:
    assert not app.exception
    return app.markdown[0].value


def test_until_a_class_is_chosen_it_is_the_prediction():
    app = AppTest.from_function(page).run()
    assert shown(app) == "happy"
    app.selectbox(key="answer").set_value("sad").run()
    assert shown(app) == "sad"


def test_a_class_that_was_chosen_stays_when_the_prediction_changes():
    app = AppTest.from_function(page).run()
    app.segmented_control(key="class").set_value("angry").run()
    app.selectbox(key="answer").set_value("sad").run()
    assert shown(app) == "angry"


def test_a_link_names_the_class():
    app = AppTest.from_function(page)
    app.query_params["class"] = "angry"
    assert shown(app.run()) == "angry"
    assert shown(app.run()) == "angry"


def test_a_class_that_the_network_lacks_gives_way_to_the_prediction():
    app = AppTest.from_function(page).run()
    app.segmented_control(key="class").set_value("contempt").run()
    assert shown(app) == "contempt"
    app.toggle(key="fewer").set_value(True).run()
    assert shown(app) == "happy"


def test_results_are_computed_once_and_the_oldest_dropped():
    def asks():
        import streamlit as st

        from workbench.ui import state

        asked = st.session_state.setdefault("asked", [])
        for i in (0, 0, *range(20), 19):
            state.cached(("square", i), lambda i=i: asked.append(i) or i * i)

    app = AppTest.from_function(asks).run()
    assert not app.exception
    assert app.session_state["asked"] == list(range(20))
    assert len(app.session_state["results"]) == 16


def test_predictions_are_computed_again_after_the_weights_change(monkeypatch):
    def asks():
        import streamlit as st

        from workbench.ui import state

        asked = st.session_state.setdefault("asked", [])
        state.cached(("answer",), lambda: asked.append(1))

    app = AppTest.from_function(asks).run().run()
    assert app.session_state["asked"] == [1]
    monkeypatch.setattr(services.networks, "weights_changed", lambda: -1)
    assert app.run().session_state["asked"] == [1, 1]
