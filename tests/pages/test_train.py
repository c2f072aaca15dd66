"""The page Train as Streamlit runs it; one tiny job goes from the button to its checkpoint."""

from __future__ import annotations

import io
import time
import zipfile

import pytest
from helpers import job_folders
from helpers.page_visits import APP, text_of
from streamlit.testing.v1 import AppTest

from models.datasets import FaceSet
from models.training.config import TrainConfig
from workbench import services
from workbench.jobs import fer2013_import, limits, processes, runner, store, transfer
from workbench.jobs.estimate import Estimate
from workbench.jobs.store import JobError
from workbench.server import access
from workbench.services import training
from workbench.services.dataset import exclusions, imported
from workbench.services.training import IMAGENET, NOTHING, PRESETS, epochs, own, presets, sources
from workbench.ui import classroom


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "_NICENESS", 0)  # a background job would wait for the other tests
    yield job_folders.at(tmp_path, monkeypatch)
    for job in store.jobs():
        processes.end_now(job)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return job_folders.drawn(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def in_class(monkeypatch):
    monkeypatch.setenv(access.LAN, "1")
    monkeypatch.setenv(access.TOKEN, "abcd-efgh-jkmn")
    monkeypatch.setattr("workbench.ui.classroom.time.sleep", lambda _seconds: None)


def opened(**link: str) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=300)
    app.query_params.update(link)
    app.switch_page("../pages/train.py").run()
    assert not app.exception
    return app


def labels(app: AppTest) -> set[str]:
    return {button.label for button in app.main.button}


# ---- the form


def test_each_preset_fills_the_form_and_only_one_needs_a_set():
    app = opened()
    control = app.segmented_control(key="train-preset")
    assert control.options == [preset.title for preset in PRESETS]
    for preset in PRESETS:
        app.segmented_control(key="train-preset").set_value(preset.title).run()
        assert not app.exception
        assert not app.error
        assert app.selectbox(key="train-model").value == preset.plan.values["model"]
        assert app.selectbox(key="train-start_from").value == preset.plan.start
        missing = preset.plan.set == "fer2013"
        assert app.button(key="train-start").disabled == missing
        assert any("FER2013 is not imported here" in info.value for info in app.info) == missing


def test_presets_follow_the_chosen_dataset_and_say_it():
    faces = [(name, job_folders.gray(i)) for i, name in enumerate(["happy", "sad"] * 6)]
    mine = training.make(faces)
    app = opened()
    app.selectbox(key="train-set").set_value(mine.id).run()
    assert f"eight epochs on {mine.title}." in text_of(app)
    app.segmented_control(key="train-preset").set_value("Progressive unfreezing, paper B").run()
    assert app.selectbox(key="train-set").value == mine.id
    assert f"to {mine.title}, each phase" in text_of(app)
    app.selectbox(key="train-model").set_value("resnet18").run()
    assert "Settings of your own" in text_of(app)
    app.segmented_control(key="train-preset").set_value("Shortcut learning").run()
    assert app.selectbox(key="train-set").value == "drawn faces, a sticker on neutral"
    app.selectbox(key="train-set").set_value("drawn faces").run()
    assert app.segmented_control(key="train-preset").value == "Small network"
    assert app.text_input(key="train-title").value == "Small network, drawn faces"


@pytest.mark.parametrize("network", ["vanilla_cnn", "resnet18"])
def test_imagenet_weights_are_offered_where_there_are_any(network):
    app = opened()
    app.selectbox(key="train-model").set_value(network).run()
    assert (IMAGENET in app.selectbox(key="train-start_from").options) == services.networks.get_spec(network).imagenet


@pytest.fixture
def queued(monkeypatch, tiny):
    """What is started stays in the queue, and has the tiny dataset."""
    monkeypatch.setattr(runner, "advance", list)
    monkeypatch.setattr(sources, "data_file", lambda name, progress=None: tiny)


def summary_of(app: AppTest) -> str:
    return next(caption.value for caption in app.caption if caption.value.startswith("Initial weights"))


def started(app: AppTest) -> TrainConfig:
    app.button(key="train-start").click().run()
    assert not app.exception
    assert not app.error
    (job,) = store.jobs()
    return job.config


def test_a_recipe_with_phases_shows_them_and_the_weights_that_it_starts_from(queued):
    app = opened()
    app.selectbox(key="train-model").set_value("hybrid_mobilenet_v3_small").run()
    app.selectbox(key="train-recipe").set_value("paper-b").run()
    assert app.selectbox(key="train-start_from").value == IMAGENET
    assert app.selectbox(key="train-trained_stages").value == "In 5 phases"
    assert app.number_input(key="train-epochs").disabled
    assert app.number_input(key="train-learning_rate").disabled
    assert "Initial weights: ImageNet. Phases: 1. Head only, 10 epochs, learning rate 0.001; 2. " in summary_of(app)
    app.selectbox(key="train-start_from").set_value(NOTHING).run()
    assert "Initial weights: Random. Phases: 1. Head only" in summary_of(app)
    config = started(app)
    assert (config.pretrained, len(config.phases)) == (False, 5)


def test_layers_chosen_in_place_of_the_phases_are_what_trains(queued):
    app = opened()
    app.selectbox(key="train-model").set_value("resnet50_cnn").run()
    app.selectbox(key="train-recipe").set_value("paper-c").run()
    assert summary_of(app).startswith("Initial weights: ImageNet.")
    assert "Head only" in summary_of(app)
    app.selectbox(key="train-trained_stages").set_value("Head and 2 deepest stages").run()
    assert not app.number_input(key="train-epochs").disabled
    assert "Trainable layers: Head and 2 deepest stages, 60 epochs, learning rate 0.0001." in summary_of(app)
    config = started(app)
    assert (config.pretrained, config.phases, config.trained_stages, config.epochs) == (True, (), 2, 60)


def test_architecture_options_have_a_fitting_widget_and_reach_the_training(queued):
    app = opened()
    assert "Architecture options" in [expander.label for expander in app.expander]
    assert app.checkbox(key="train-option-batch_norm").value is True
    app.selectbox(key="train-model").set_value("resnet18").run()
    assert not any(widget.key == "train-option-batch_norm" for widget in app.checkbox)
    assert app.selectbox(key="train-option-channels").options == ["1", "3"]
    app.selectbox(key="train-model").set_value("multibranch_dsc_cbam").run()
    assert app.selectbox(key="train-option-branches").options == ["1", "2", "3"]
    reduction = app.number_input(key="train-option-reduction")
    assert (reduction.value, reduction.min, reduction.max) == (8, 1, 64)
    assert "channel attention" in reduction.help
    reduction.set_value(16)
    app.selectbox(key="train-option-conv").set_value("full").run()
    assert summary_of(app).endswith("Architecture: conv=full, reduction=16.")
    assert started(app).overrides == {"conv": "full", "reduction": 16}


def test_what_the_form_says_is_what_is_trained(queued, tiny):
    app = opened()
    app.number_input(key="train-epochs").set_value(2)
    app.number_input(key="train-batch_size").set_value(16)
    app.selectbox(key="train-class_weights").set_value("inverse")
    app.text_input(key="train-growing_sizes").set_value("32, 40")
    app.text_input(key="train-title").set_value("Ours")
    app.button(key="train-start").click().run()
    assert not app.exception
    (job,) = store.jobs()
    assert (job.title, job.state) == ("Ours", "queued")
    config = job.config
    assert (config.model, config.epochs, config.batch_size, config.class_weights) == ("vanilla_cnn", 2, 16, "inverse")
    assert config.growing_sizes == (32, 40)
    assert config.learning_rate == 0.05
    assert config.data == tiny
    assert app.query_params["job"] == job.id


def test_an_exclusion_list_is_chosen_by_name_and_trained_with(queued, tiny):
    assert "Exclusion list" not in {box.label for box in opened().main.selectbox}
    exclusions.add("looked-at", FaceSet.load(tiny).part("Training").ids[:2].tolist(), "looked at")
    app = opened()
    app.selectbox(key="train-exclude").set_value("looked-at").run()
    assert started(app).exclude == exclusions.path_of("looked-at")


def test_an_entry_that_cannot_be_is_reported_and_starts_nothing():
    app = opened()
    app.text_input(key="train-growing_sizes").set_value("many")
    app.button(key="train-start").click().run()
    assert "whole numbers" in app.error[0].value
    assert not store.jobs()


def test_the_time_is_reported_before_the_start(monkeypatch, tiny):
    monkeypatch.setattr(sources, "data_file", lambda name, progress=None: tiny)
    monkeypatch.setattr(presets, "estimate_duration", lambda config: Estimate(8.0, 70.0, 8, 8, "cpu, threads: 1"))
    app = opened()
    app.button(key="train-estimate").click().run()
    until = time.monotonic() + 60
    while "About" not in text_of(app) and time.monotonic() < until:
        time.sleep(0.1)
        app.run()
    assert "About 1 min 10 s" in text_of(app).replace("\N{NO-BREAK SPACE}", " ")


def test_a_recipe_brings_its_values_and_leaves_network_and_set(monkeypatch):
    app = opened()
    app.selectbox(key="train-recipe").set_value("short").run()
    assert app.selectbox(key="train-model").value == "vanilla_cnn"
    assert app.number_input(key="train-epochs").value == 9
    assert app.text_input(key="train-growing_sizes").value == "32, 40"


# ---- a job that is watched


def test_the_usual_recipe_of_a_network_is_reported_until_it_is_chosen():
    app = opened()
    told = "The usual recipe for this network is `adamw`."
    assert told not in [caption.value for caption in app.caption]
    app.selectbox(key="train-model").set_value("hybrid_xception").run()
    assert told in [caption.value for caption in app.caption]
    app.selectbox(key="train-recipe").set_value("adamw").run()
    assert told not in [caption.value for caption in app.caption]


def test_a_job_is_named_by_the_address_and_shows_its_curves_and_faces(tiny):
    job = job_folders.job(tiny, "running", epochs=5, done=3)
    epochs.process_epochs(job)
    app = opened(job=job.id)
    assert "job-stop" in {button.key for button in app.main.button}
    assert "is training, epoch 4 of 5" in _bar(app)
    assert "after epoch 3" in text_of(app)
    assert not app.error
    app.slider(key="lapse-3").set_value(1).run()
    assert "after epoch 1" in text_of(app)


def test_an_unknown_job_in_the_address_is_reported_and_the_form_stands():
    app = opened(job="../../etc/passwd")
    assert "is not" not in app.info[0].value
    assert "There is no training run `../../etc/passwd`" in app.info[0].value
    assert "Start training" in labels(app)


def test_a_failed_job_says_why_and_can_go_on(tiny):
    job = job_folders.job(tiny, "failed", done=1, message="Out of memory: a batch of 16 would fit.")
    app = opened(job=job.id)
    assert app.error[0].value == "Out of memory: a batch of 16 would fit."
    assert "Resume" in labels(app)


def test_a_lost_job_says_so(tiny):
    app = opened(job=job_folders.job(tiny, "lost", done=0, weights=False).id)
    assert "failed without a message" in app.error[0].value
    assert "was lost" in _bar(app)


def test_a_finished_job_tells_before_and_after_and_is_in_the_list_of_networks(tiny):
    job = job_folders.job(tiny)
    epochs.process_epochs(job)
    assert "after epoch 3" in text_of(opened(job=job.id))
    app = opened(job=job.id, tab="Before and after")
    assert not app.error
    assert "Test accuracy: " in text_of(app)
    assert job.id in app.selectbox(key="network").proto.options or any(
        "Tiny" in option for option in app.selectbox(key="network").options
    )
    assert {"Promote", "Export"} <= labels(app)
    app.button(key="use").click().run()
    assert not app.exception
    assert app.session_state["network"] == job.id
    assert app.title[0].value == "Explain"


def test_what_learned_from_own_images_is_neither_promoted_nor_exported(tiny):
    job = job_folders.job(tiny, belongs_to="abcd1234", done=1)
    app = opened(job=job.id)
    assert not {"Promote", "Export"} & labels(app)
    assert "cannot be exported or promoted" in " ".join(caption.value for caption in app.caption)


def test_a_finished_job_is_promoted_and_exported_by_its_buttons(tiny, monkeypatch):
    job, promoted = job_folders.job(tiny, done=1), []
    monkeypatch.setattr(transfer, "promote", lambda id_: (promoted.append(id_), "vanilla_cnn-of-today")[1])
    app = opened(job=job.id)
    app.button(key="promote").click().run()
    assert promoted == [job.id]
    assert "`vanilla_cnn-of-today`" in app.success[0].value
    assert "export-zip" not in {one.key for one in app.get("download_button")}
    app.button(key="export-ask").click().run()
    assert not app.exception
    assert "export-zip" in {one.key for one in app.get("download_button")}


@pytest.mark.parametrize(
    ("state", "row", "alone", "does"),
    [
        ("running", "stop", "job-stop", "stop"),
        ("failed", "resume", "job-resume", "resume"),
        ("failed", "remove", "job-remove", "remove"),
    ],
)
def test_a_job_is_stopped_resumed_and_removed_from_the_list_and_from_its_own_view(
    state, row, alone, does, tiny, monkeypatch
):
    job, asked = job_folders.job(tiny, state, done=1), []
    monkeypatch.setattr(runner, does, asked.append)
    opened().button(key=f"{row}-{job.id}").click().run()
    opened(job=job.id).button(key=alone).click().run()
    assert asked == [job.id, job.id]


def test_what_cannot_be_done_to_a_job_is_reported_once(tiny, monkeypatch):
    def busy(_id: str) -> None:
        raise JobError("Another one is being stopped.")

    job = job_folders.job(tiny, "running", done=1)
    monkeypatch.setattr(runner, "stop", busy)
    app = opened()
    app.button(key=f"stop-{job.id}").click().run()
    assert app.error[0].value == "Another one is being stopped."
    assert not app.run().error


def test_a_job_of_the_list_is_looked_at_and_left_again(tiny):
    job = job_folders.job(tiny, "failed", done=1)
    app = opened()
    app.button(key=f"watch-{job.id}").click().run()
    assert not app.exception
    assert app.query_params["job"] == job.id
    assert "failed" in _bar(app)
    app.button(key="job-leave").click().run()
    assert "job" not in app.query_params
    assert "Start training" in labels(app)


# ---- own pictures


FILES, FOLDER = "own-upload-files-0", "own-upload-folder-0"


def uploaders(app: AppTest) -> set[str]:
    return {uploader.key for uploader in app.main.file_uploader}


def consented() -> AppTest:
    app = opened()
    for tick in ("own-consent", "own-guardian"):
        app.checkbox(key=tick).check()
    return app.run()


def zipped(names: list[str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for i, name in enumerate(names):
            file.writestr(name, b"x" * i)
    return buffer.getvalue()


@pytest.fixture
def drawn_crops(monkeypatch):
    """Every file is a face at once: finding faces is tested elsewhere."""
    monkeypatch.setattr(own, "face_of", lambda data: job_folders.gray(len(data)))


def test_no_image_is_requested_before_both_consents():
    app = opened()
    app.checkbox(key="own-consent").check().run()
    assert FILES not in uploaders(app)
    app.checkbox(key="own-guardian").check().run()
    assert {FILES, FOLDER} <= uploaders(app)


def test_a_bad_zip_is_refused_on_the_page_and_the_form_stands():
    app = consented()
    app.file_uploader(key=FILES).upload("x.zip", zipped(["../happy/1.png"])).run()
    assert not app.exception
    assert "climbs out" in app.error[0].value
    assert app.button(key="own-make").disabled
    assert "Start training" in labels(app)


def test_folders_that_mean_no_class_are_mapped_in_the_page_and_remembered(drawn_crops):
    app, data = consented(), zipped([f"{1 + i % 2}/{i}.png" for i in range(12)])
    app.file_uploader(key=FILES).upload("x.zip", data).run()
    assert "**2 folders are not named after a class that is known here:**" in text_of(app)
    assert app.button(key="own-make").disabled
    app.selectbox(key="own-folder-1").set_value("happy")
    app.selectbox(key="own-folder-2").set_value("contempt").run()
    app.button(key="own-make").click().run()
    assert not app.exception
    (made,) = training.own_sets()
    assert made.counts == {"happy": 6, "contempt": 6}
    assert app.selectbox(key="train-set").value == made.id
    app.file_uploader(key="own-upload-files-1").upload("x.zip", data).run()
    assert app.selectbox(key="own-folder-2").value == "contempt"


def test_zips_images_and_folders_of_all_tabs_become_one_dataset(drawn_crops):
    app = consented()
    loose = [(("happy_{}.png", "sad-{}.jpg")[i % 2].format(i), b"x" * i, "image/png") for i in range(6)]
    folder = [(("mine/joy/{}.png", "mine/../sad/{}.png")[i % 2].format(i), b"x", "image/png") for i in range(6)]
    packed = ("more.zip", zipped(["happy/1.png", "sad/2.png"]), "application/zip")
    app.file_uploader(key=FILES).set_value([*loose, packed, (".hidden.png", b"x", "image/png")])
    app.file_uploader(key=FOLDER).set_value(folder).run()
    assert not app.exception
    assert app.main.data_editor[0].value["label"].tolist() == ["happy", "sad"] * 3
    assert "So far: happy 7, sad 7." in text_of(app)
    app.button(key="own-make").click().run()
    assert not app.exception
    assert training.own_sets()[0].counts == {"happy": 7, "sad": 7}
    assert "So far: no image with a class." in text_of(app)


def test_an_own_set_is_deleted_with_its_jobs_by_one_button(tiny):
    faces = [(name, job_folders.gray(i)) for i, name in enumerate(["happy", "sad"] * limits.LIMITS.own_each)]
    made = training.make(faces)
    job_folders.job(tiny, belongs_to=made.id, done=1)
    app = opened()
    app.selectbox(key="train-set").set_value(made.id).run()
    app.button(key=f"own-delete-{made.id}").click().run()
    assert not app.exception
    assert training.own_sets() == ()
    assert store.jobs() == []
    assert app.selectbox(key="train-set").value == "drawn faces"


def test_samples_only_offers_no_own_images(monkeypatch):
    monkeypatch.setenv(access.SAMPLES_ONLY, "1")
    assert not any("own images" in expander.label for expander in opened().expander)


# ---- FER2013


@pytest.fixture
def at_home(monkeypatch):
    """The visitor's address is that of the computer that runs the app; AppTest has none."""
    monkeypatch.setattr(classroom, "_address", lambda: "127.0.0.1")


def without_fer2013(app: AppTest) -> AppTest:
    return app.selectbox(key="train-set").set_value("fer2013").run()


def sent(app: AppTest) -> None:
    next(button for button in app.main.button if button.label == "Import FER2013").click().run()
    assert not app.exception


@pytest.fixture
def imports(monkeypatch):
    """The imports that were begun, and no process of any."""
    begun: list[tuple] = []
    for name in ("import_path", "import_file"):
        monkeypatch.setattr(fer2013_import, name, lambda *given, name=name: begun.append((name, *given)))
    return begun


def test_fer2013_is_imported_from_a_path_of_this_computer_or_from_a_file(at_home, imports, tmp_path):
    app = without_fer2013(opened())
    sent(app)
    assert "Enter a path or choose a file." in {warning.value for warning in app.warning}
    app.text_input(key="fer2013-path").set_value(f' "{tmp_path}/a.zip" ')
    sent(app)
    app.file_uploader(key="fer2013-file").upload("../../etc/b.csv", b"emotion")
    sent(app)
    out = imported.FOLDER / "fer2013.npz"
    assert imports[0] == ("import_path", tmp_path / "a.zip", out)
    assert imports[1] == ("import_file", b"emotion", "../../etc/b.csv", out)


def test_a_path_that_does_not_exist_starts_nothing_and_says_so(at_home):
    app = without_fer2013(opened())
    app.text_input(key="fer2013-path").set_value("/no/such\0path")
    sent(app)
    assert len(app.error) == 1
    assert fer2013_import.current() is None


def test_a_running_import_shows_its_progress_and_can_be_cancelled(at_home, monkeypatch):
    now = fer2013_import.Import("a.zip", "running", 12_000, time.time() - 3)
    monkeypatch.setattr(fer2013_import, "current", lambda: now)
    monkeypatch.setattr(fer2013_import, "cancel", lambda: cancelled.append(1))
    cancelled: list[int] = []
    app = without_fer2013(opened())
    assert "Importing a.zip: 12\N{NARROW NO-BREAK SPACE}000 of 35" in _bar(app)
    app.button(key="fer2013-cancel").click().run()
    assert cancelled == [1]


@pytest.mark.parametrize(
    ("name", "value"),
    [(access.LAN, "1"), (access.SAMPLES_ONLY, "1"), (access.HOST_NAMES, "x.org"), ("address", "192.168.1.9")],
)
def test_nobody_but_the_owner_of_the_computer_may_name_a_path_of_it(name, value, at_home, monkeypatch):
    if name == "address":
        monkeypatch.setattr(classroom, "_address", lambda: value)
    else:
        monkeypatch.setenv(name, value)
    app = AppTest.from_file(str(APP), default_timeout=300)
    app.session_state["teacher"] = True
    app.switch_page("../pages/train.py").run()
    without_fer2013(app)
    assert not {"fer2013-path", "fer2013-file"} & {box.key for box in (*app.text_input, *app.main.file_uploader)}
    assert any("ferscope data import" in info.value for info in app.info)


# ---- in class


def test_in_class_visitors_watch_and_only_the_token_starts(in_class, tiny):
    job = job_folders.job(tiny, "running", done=1)
    visitor = opened()
    assert not {"Start training", "Stop", "Import"} & labels(visitor)
    assert not any("own images" in expander.label for expander in visitor.expander)
    assert "Watch" in labels(visitor)
    watching = opened(job=job.id)
    assert "Stop" not in labels(watching)
    assert not watching.error
    visitor.text_input[-1].set_value("abcd-efgh-jkmn")
    visitor.button[-1].click().run()
    assert {"Start training", "Stop"} <= labels(visitor)


# ---- the real thing


def test_two_clicks_on_start_make_one_job_that_learns_to_its_end(monkeypatch):
    monkeypatch.setitem(sources.DRAWINGS, "drawn faces", sources.Drawing(count=3))
    app = opened()
    app.number_input(key="train-epochs").set_value(1)
    app.number_input(key="train-batch_size").set_value(8)
    app.selectbox(key="train-precision").set_value("32-true")
    app.button(key="train-start").click().run()
    again = opened()
    again.number_input(key="train-epochs").set_value(1)
    again.number_input(key="train-batch_size").set_value(8)
    again.selectbox(key="train-precision").set_value("32-true")
    again.button(key="train-start").click().run()
    (job,) = store.jobs()
    assert app.query_params["job"] == again.query_params["job"] == job.id
    until = time.monotonic() + 240
    while runner.advance()[0].alive:
        assert time.monotonic() < until, store.log_tail(store.read(job.id))
        time.sleep(0.3)
    job = store.read(job.id)
    assert job.state == "done", (job.message, store.log_tail(job))
    epochs.process_epochs(job)
    app.run()
    assert not app.exception
    assert "after epoch 1" in text_of(app)
    assert "Test accuracy: " in text_of(opened(job=job.id, tab="Before and after"))


def _bar(app: AppTest) -> str:
    return " ".join(element.proto.text for element in app.main.get("progress"))


def test_where_no_training_can_be_kept_the_page_says_so_and_the_rest_works(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(store, "ROOT", tmp_path / "file" / "jobs")
    app = opened()
    assert any("FERSCOPE_JOBS" in warning.value for warning in app.warning)
    assert app.button(key="train-start").disabled
    app.switch_page("../pages/explain.py").run()
    assert not app.exception
    assert not app.error
