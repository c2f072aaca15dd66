"""The public demo as visitors and programs use it: a real server, over HTTP."""

import asyncio
import io
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import httpx
import numpy as np
import pytest
import torch
from helpers.browser import free_port
from PIL import Image

from workbench import faces, gradio_app, services
from workbench.demo import camera as live_camera
from workbench.demo import components, responses
from workbench.demo import page as gradio_page
from workbench.demo.uploads import Uploads
from workbench.server.bounded import Limits

pytestmark = pytest.mark.xdist_group("demo")  # one server for all of them


def png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def serving():
    serving = gradio_app.serve(gradio_app.Options(), port=free_port())
    yield serving
    serving.close()
    assert not serving.folder.exists()


@pytest.fixture(scope="module")
def client(serving):
    from gradio_client import Client

    return Client(serving.local, verbose=False)


@pytest.fixture
def astronaut(tmp_path) -> Path:
    path = tmp_path / "me.png"
    path.write_bytes(png(faces.sample_picture("astronaut")))
    return path


def handed(path: Path):
    from gradio_client import handle_file

    return handle_file(str(path))


def refusal(client, *args, **named) -> str:
    from gradio_client.exceptions import AppError

    with pytest.raises((AppError, ValueError, httpx.HTTPStatusError)) as error:
        client.predict(*args, **named)
    return str(error.value)


# ---------------------------------------------------------------------------------------------------------------------
# Programmes


def test_predict_gives_calibrated_probabilities_of_every_class(client, astronaut):
    shares = client.predict(handed(astronaut), api_name="/predict")
    face = faces.crop(picture := faces.read(astronaut.read_bytes()), faces.detect(picture)[0])
    expected = services.predict(face)
    assert list(shares) == list(expected.classes)
    assert list(shares.values()) == pytest.approx(expected.probabilities.tolist(), abs=1e-5)


def test_explain_gives_the_map_over_the_face_the_probabilities_and_two_sentences(client, astronaut):
    over, shares, note = client.predict(handed(astronaut), "residual_cnn", "sad", "hirescam", api_name="/explain")
    picture = np.asarray(Image.open(over).convert("RGB"))
    assert picture.shape == (responses.SIDE, responses.SIDE, 3)
    assert (picture[..., 0] != picture[..., 2]).any()  # colored: a map lies over it
    assert sum(shares.values()) == pytest.approx(1, abs=1e-5)
    assert "sad" in note
    assert "does not prove" in note


def test_the_api_documents_its_two_functions_and_no_other(client):
    described = client.view_api(return_format="dict")["named_endpoints"]
    assert set(described) == {"/predict", "/explain"}
    assert [p["parameter_name"] for p in described["/explain"]["parameters"]] == [
        "image",
        "network",
        "class_",
        "method",
    ]


@pytest.mark.parametrize(
    ("network", "class_", "method", "words"),
    [
        ("resnet", "happy", "gradcam", "resnet18"),
        ("../../etc", "happy", "gradcam", "is not a network"),
        ("./checkpoints/vanilla_cnn", "happy", "gradcam", "is not a network"),
        ("/etc", "happy", "gradcam", "is not a network"),
        ("residual_cnn-short-official-s0", "happy", "gradcam", "is not a network"),
        ("x" * 1_000_000, "happy", "gradcam", "is not a network"),
        ("mobilenet_v1", "happy", "gradcam", "no trained weights"),
        ("residual_cnn", "hungry", "gradcam", "angry, disgust"),
        ("residual_cnn", "happy", "magic", "hirescam"),
    ],
)
def test_what_is_unknown_is_answered_with_what_there_is(client, astronaut, network, class_, method, words):
    text = refusal(client, handed(astronaut), network, class_, method, api_name="/explain")
    assert words in text
    assert "Traceback" not in text


@pytest.mark.parametrize("value", [7, 3.5, True, ["a"], {"a": 1}, {"path": 7}, "face.png", None])
def test_wrong_types_are_refused_and_the_demo_goes_on(client, astronaut, value):
    text = refusal(client, value, api_name="/predict")
    assert "Traceback" not in text
    assert str(Path.cwd()) not in text
    assert client.predict(handed(astronaut), api_name="/predict")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"not a picture", "not a JPEG, PNG, WebP, HEIC"),
        (b"GIF89a" + bytes(50), "damaged"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "damaged"),
        (b"P5 60000 60000 255\n" + bytes(50), "200 megapixels"),
        (png(Image.new("L", (4, 4))), "4×4"),
    ],
)
def test_a_file_that_is_no_good_image_is_answered_with_what_to_do(client, tmp_path, data, words):
    path = tmp_path / "x.png"
    path.write_bytes(data)
    assert words in refusal(client, handed(path), api_name="/predict")


def test_eight_programs_at_once_each_get_the_prediction_to_their_own_face(client, tmp_path):
    names = [sample.name for sample in faces.samples()]
    paths = []
    for name in names:
        path = tmp_path / f"{name}.png"
        path.write_bytes(png(faces.load_sample(name).picture))
        paths.append(path)

    def answer(path: Path) -> dict:
        return client.predict(handed(path), api_name="/predict")

    alone = [answer(path) for path in paths]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(answer, paths * 3))
    for found, expected in zip(together, alone * 3, strict=True):
        assert list(found.values()) == pytest.approx(list(expected.values()), abs=1e-5)


# ---------------------------------------------------------------------------------------------------------------------
# Strangers


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file=../../../../etc/passwd",
        "/gradio_api/file=%2e%2e%2f%2e%2e%2fetc/passwd",
        "/file=/etc/passwd",
        "/gradio_api/file=checkpoints/residual_cnn/card.json",
        "/gradio_api/file=http://127.0.0.1:1/",
        "/gradio_api/proxy=http://127.0.0.1:1/",
        "/static/../../../../../../etc/passwd",
        "/assets/..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/svelte/..%2f..%2fpyproject.toml",
        "/monitoring",
        "/gradio_api/deep_link",
    ],
)
def test_no_file_of_the_machine_and_no_other_server_is_reached(serving, path):
    # A plain socket would normalize nothing; httpx keeps %2e and %2f, and raw dots go through `raw_path`.
    url = httpx.URL(serving.local).copy_with(raw_path=path.encode())
    answer = httpx.get(url)
    assert answer.status_code in (400, 403, 404)
    assert "root:" not in answer.text
    assert "build-backend" not in answer.text


def test_a_file_of_the_machine_cannot_be_requested_as_an_image(serving):
    for path in ("/etc/passwd", str(Path("pyproject.toml").resolve()), "http://127.0.0.1:1/x.png"):
        body = {"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}, "residual_cnn"]}
        answer = httpx.post(f"{serving.local}gradio_api/call/predict", json=body)
        assert answer.status_code == 400
        assert "uploaded here" in answer.json()["error"]


def test_huge_json_is_refused(serving):
    answer = httpx.post(f"{serving.local}gradio_api/call/predict", content=b'{"data": ["' + b"x" * 7_000_000 + b'"]}')
    assert answer.status_code == 413


def test_neither_uploads_nor_results_are_written_to_a_file(serving, client, astronaut):
    over, *_ = client.predict(handed(astronaut), api_name="/explain")
    assert Image.open(over).size == (responses.SIDE, responses.SIDE)
    config = httpx.get(f"{serving.local}config").text
    files = [path for path in serving.folder.rglob("*") if path.is_file()]
    assert len(files) == len(faces.samples())
    assert all(str(path) in config for path in files)


def test_the_page_asks_no_other_host_and_reports_nothing(serving):
    assert gradio_app.os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
    config = httpx.get(f"{serving.local}config").json()
    assert config["analytics_enabled"] is False
    assert "fonts.googleapis" not in json.dumps(config)
    assert "fonts.googleapis" not in httpx.get(f"{serving.local}theme.css").text


def test_the_status_counts_questions_and_names_the_process(serving, client, astronaut):
    before = serving.status()
    client.predict(handed(astronaut), api_name="/predict")
    after = serving.status()
    assert after["served"] > before["served"]
    assert after["pid"] == gradio_app.os.getpid()
    assert after["memory"] > 0


def test_the_way_of_an_image_is_reported_as_it_is():
    def text(shared: bool) -> str:
        page = gradio_page.build(gradio_app.Options(shared=shared))
        return " ".join(str(b.value) for b in page.blocks.values() if isinstance(b, gradio_page.gr.Markdown))

    assert "tunnel" in text(shared=True)
    assert "tunnel" not in text(shared=False)
    assert "Article 5(1)(f)" in text(shared=False)


def test_without_a_network_the_local_address_is_reported(monkeypatch):
    from gradio import networking

    def no_network(**_settings):
        raise RuntimeError("no network")

    monkeypatch.setattr(networking, "setup_tunnel", no_network)
    serving = gradio_app.serve(gradio_app.Options(shared=True), port=free_port())
    try:
        text = gradio_app._where(serving, share=True)
    finally:
        serving.close()
    assert serving.link is None
    assert "No public link could be made" in text
    assert serving.local in text


def test_with_samples_only_there_is_no_camera_no_upload_and_no_way_round(astronaut):
    serving = gradio_app.serve(gradio_app.Options(samples_only=True), port=free_port())
    try:
        config = httpx.get(f"{serving.local}config").json()
        labels = [c["props"].get("label") or "" for c in config["components"]]
        assert not any("camera" in label.lower() or "own image" in label.lower() for label in labels)
        sent = httpx.post(f"{serving.local}gradio_api/upload", files={"files": astronaut.read_bytes()})
        assert sent.status_code == 403
        data = "data:image/png;base64,iVBORw0KGgo="
        asked = httpx.post(f"{serving.local}gradio_api/call/predict", json={"data": [{"url": data}, "residual_cnn"]})
        assert asked.status_code == 403
        assert "sample faces" in asked.json()["error"]
    finally:
        serving.close()


def test_a_name_and_a_password_are_requested():
    serving = gradio_app.serve(gradio_app.Options(), port=free_port(), auth=("class", "secret words"))
    try:
        assert httpx.get(f"{serving.local}config").status_code == 401
        wrong = httpx.post(f"{serving.local}login", data={"username": "class", "password": "guess"})
        assert wrong.status_code == 400
        with httpx.Client(base_url=serving.local) as visitor:
            assert visitor.post("login", data={"username": "class", "password": "secret words"}).status_code == 200
            assert visitor.get("config").status_code == 200
    finally:
        serving.close()


# ---------------------------------------------------------------------------------------------------------------------
# What it answers, without a server


def test_what_waits_in_a_session_is_counted_and_forgotten(serving, astronaut):
    queue = components.GradioQueue(serving.page)
    with httpx.Client(base_url=serving.local) as visitor:
        path = visitor.post("gradio_api/upload", files={"files": ("me.png", astronaut.read_bytes())}).json()[0]
        body = {"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}, "residual_cnn"]}
        session = visitor.post("gradio_api/call/predict", json=body).json()["event_id"]
        until = time.monotonic() + 60
        while queue.unread(session) < 2 and time.monotonic() < until:
            time.sleep(0.1)
        assert queue.unread(session) >= 2
        assert queue.pending("at 127.0.0.1") == 0
        asyncio.run(queue.forget(session))
        assert queue.unread(session) == 0
        assert session not in serving.page.state_holder


def test_what_is_too_old_goes_also_while_nobody_asks(monkeypatch, tmp_path):
    monkeypatch.setattr(gradio_app, "SWEEP_SECONDS", 0.01)
    uploads, pictures, ended = Uploads(tmp_path), components.Pictures(), threading.Event()
    uploads.uploads.limits = uploads.results.limits = pictures.store.limits = Limits(1e9, 1e9, seconds=0.1)
    uploads.add(b"a picture", "me.png", None, "a")
    uploads.add_result(b"a map", "map.png")
    pictures.keep(responses.sample("astronaut"), attention_from("a"))
    thread = threading.Thread(target=gradio_app._sweep, args=(ended, uploads, pictures))
    thread.start()
    until = time.monotonic() + 30
    while (len(uploads.uploads), len(uploads.results), len(pictures.store)) != (0, 0, 0):
        assert time.monotonic() < until
        time.sleep(0.05)
    ended.set()
    thread.join(10)


@pytest.mark.parametrize("text", ["https://school.example", "http://10.0.0.7:8080", "https://*.school.example"])
def test_the_page_that_may_frame_the_demo_is_named_by_its_origin(text):
    assert gradio_app.origin(text) == text


@pytest.mark.parametrize(
    "text", ["school.example", "https://a.example/page", "'none'", "*", "https://a b", "https://a; x"]
)
def test_what_is_no_origin_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match=r"https://example\.org"):
        gradio_app.origin(text)


def test_an_own_image_needs_the_notice_accepted():
    pictures = components.Pictures()
    own = gradio_page._own(pictures)
    with pytest.raises(ValueError, match="accept it first"):
        own(png(faces.sample_picture("astronaut")), False, attention_from("a"))
    key, number, which = own(png(faces.sample_picture("astronaut")), True, attention_from("a"))
    assert (len(pictures.find(key).boxes), number, which.visible) == (1, 0, False)


def attention_from(visitor: str) -> SimpleNamespace:
    """What Gradio hands to a function of a visitor's request."""
    return SimpleNamespace(request=SimpleNamespace(scope={"visitor": (visitor, False)}), session_hash="x")


def test_images_are_bounded_and_a_visitor_whose_image_gave_way_is_reported(monkeypatch):
    monkeypatch.setattr(components, "PICTURES", Limits(total=6_000_000, share=4_000_000))
    pictures, found = components.Pictures(), responses.seen(png(faces.sample_picture("astronaut")))
    assert found.size < 2_000_000
    first, other = pictures.keep(found, attention_from("a")), pictures.keep(found, attention_from("b"))
    for _ in range(20):
        last = pictures.keep(found, attention_from("a"))
    assert pictures.store.size <= 6_000_000
    assert pictures.find(last) is pictures.find(other) is found
    with pytest.raises(ValueError, match="deleted"):
        pictures.given(responses.explain_tab)(first, 0, "residual_cnn", responses.PREDICTED, "gradcam")
    with pytest.raises(ValueError, match="No face is chosen"):
        pictures.given(responses.compare_tab)(None, 0, "residual_cnn", "resnet18", responses.PREDICTED)


def test_an_error_stays_until_it_is_closed():
    def broken():
        raise ValueError("No face is chosen.")

    with pytest.raises(gradio_page.gr.Error) as error:
        components.with_errors(broken)()
    assert (error.value.message, error.value.duration) == ("No face is chosen.", None)


def test_the_map_and_its_face_have_texts_that_say_what_they_show():
    found = responses.sample("astronaut")
    _, over, *_ = responses.explain_tab(found, 0, "residual_cnn", "sad", "hirescam")
    assert 'alt="The face as the network receives it"' in over
    assert 'alt="HiResCAM for sad over the face"' in over


def test_the_camera_needs_the_notice_accepted_and_a_broken_frame_is_a_sentence():
    text, camera = live_camera.live(png(faces.sample_picture("astronaut")), None, "residual_cnn", accepted=False)
    assert "Accept the consent notice" in text
    text, camera = live_camera.live(b"broken", camera, "residual_cnn", accepted=True)
    assert "not a JPEG, PNG, WebP, HEIC" in text


def test_the_camera_finds_the_face_in_each_frame_and_says_how_long_it_took():
    frame = png(faces.sample_picture("astronaut").crop((100, 0, 350, 190)).resize((320, 240)))
    camera = None
    for _ in range(3):
        text, camera = live_camera.live(frame, camera, "residual_cnn", accepted=True)
    assert "Computed in" in text
    assert "frames a second" in text
    assert "happy" in text
    empty = png(Image.new("RGB", (320, 240), "gray"))
    assert "No face is found" in live_camera.live(empty, camera, "residual_cnn", accepted=True)[0]


def test_a_comparison_says_whether_two_networks_agree():
    text, *cards = responses.compare_tab(
        responses.sample("astronaut"), 0, "residual_cnn", "resnet18", responses.PREDICTED
    )
    answers = {services.predict(faces.load_sample("astronaut"), n).predicted for n in ("residual_cnn", "resnet18")}
    assert ("Both predict" in text) == (len(answers) == 1)
    assert all("data:image/png" in card for card in cards)


def test_a_comparison_with_a_vote_says_that_it_has_no_map(monkeypatch):
    monkeypatch.setattr(
        services.networks, "is_trained", lambda name: True
    )  # no ensemble ships: this one is of random weights
    text, _, card = responses.compare_tab(
        responses.sample("astronaut"), 0, "residual_cnn", "ensemble", responses.PREDICTED
    )
    assert "ensemble has no layer of its own" in text
    assert "correlation" not in text
    assert "No map, " in card


def test_an_image_without_a_face_is_named_on_each_tab_and_refused_by_the_api():
    gray = png(Image.fromarray(np.full((200, 300, 3), 127, np.uint8)))
    found = responses.seen(gray)
    boxed, _, text, *_ = responses.explain_tab(found, 0, "residual_cnn", responses.PREDICTED, "gradcam")
    compared, *_ = responses.compare_tab(found, 0, "residual_cnn", "residual_cnn", responses.PREDICTED)
    assert all("No face was found" in part for part in (boxed, text, compared))
    assert "annotators" not in text
    for function in (responses.predict, responses.explain):
        with pytest.raises(ValueError, match="No face was found in this image"):
            function(gray, "residual_cnn")
    assert len(responses.predict(png(Image.new("RGB", (48, 48), "gray")), "residual_cnn")) == 7  # a crop, by its size


def test_the_strength_of_a_map_is_that_of_the_class_among_all(monkeypatch):
    result = responses.explained(responses.sample("astronaut").face(0), "residual_cnn", "sad")
    strongest = responses.explained(responses.sample("astronaut").face(0), "residual_cnn", "")
    colored = [np.asarray(faces.read(responses.overlaid(r, "gradcam"))).astype(int) for r in (result, strongest)]
    red_over_blue = [(p[..., 0] - p[..., 2]).clip(0).sum() for p in colored]
    assert torch.isfinite(result.maps()).all()
    assert red_over_blue[0] < red_over_blue[1]
