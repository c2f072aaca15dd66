"""The page Train: the form, datasets, progress of a job, its epochs, predictions before and after."""

import json
import os
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import job_folders

from models.datasets import FaceSet
from models.training.config import TrainConfig
from workbench import services
from workbench.analysis.cam import METHODS
from workbench.jobs import store
from workbench.jobs.store import JobError
from workbench.services import training as trainings
from workbench.services.dataset import imported
from workbench.services.training import PRESETS, epochs, outcome, presets, sources


@pytest.fixture
def place(tmp_path, monkeypatch):
    return job_folders.at(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return job_folders.drawn(tmp_path_factory.mktemp("tiny"))


# ---- the form


def test_every_setting_of_the_class_has_its_place_in_the_form_and_a_sentence():
    asked = {field.name: field for field in trainings.fields()}
    left = set(TrainConfig.model_fields) - set(asked) - set(trainings.UP_FRONT)
    assert left == {"out", "resume", "overrides", "teacher", "phases", "keep_epochs", "tensorboard", "evaluate"}
    assert all(field.help.endswith(".") for field in asked.values())
    assert asked["warmup"].title == "Linear warm-up, epochs"
    assert asked["ema"].title == "Exponential moving average of the weights"
    assert asked["clip_norm"].help == "Maximum global gradient norm; empty: no clipping. Range: above 0."
    assert asked["batch_size"].help.endswith("Range: from 2 to 100\N{NARROW NO-BREAK SPACE}000.")
    assert asked["decay_factor"].help.endswith("Range: above 0 and below 1.")
    assert "along a cosine after *Linear warm-up*" in asked["schedule"].help
    assert asked["batch_size"].low == 2
    assert asked["momentum"].high == 1
    assert asked["threads"].optional
    assert "quick" in asked["augmentation"].choices
    assert asked["growing_sizes"].kind == "sizes"


def test_a_value_that_cannot_be_is_named_in_one_sentence():
    with pytest.raises(JobError, match=r"^Batch size, images: .*2\.$"):
        trainings.configure("quick", batch_size=1)
    with pytest.raises(JobError, match="no-such"):
        trainings.configure("no-such")
    with pytest.raises(JobError, match="whole numbers"):
        trainings.sizes("32, many")
    assert trainings.sizes("32, 40") == (32, 40)


def test_every_preset_is_a_training_that_the_class_takes(place, tiny, monkeypatch):
    monkeypatch.setattr(sources, "data_file", lambda name, progress=None: tiny)
    for preset in PRESETS:
        config = presets.config_of(preset.plan)
        assert config.model == preset.plan.values["model"]
        assert set(preset.plan.pinned) <= set(trainings.PINNED)


def test_presets_are_trained_on_the_chosen_dataset_unless_they_belong_to_one(place):
    faces = [(name, job_folders.gray(i)) for i, name in enumerate(["happy", "sad"] * 6)]
    mine = trainings.make(faces).id
    for preset in PRESETS:
        assert preset.on(None) == preset.plan
        assert preset.on("fer2013").set == ("fer2013" if preset.any_set else preset.plan.set)
        assert preset.named(preset.on("fer2013").title)
        model, start = preset.plan.values["model"], preset.plan.start
        assert preset.describes(model, start, preset.plan.set)
        assert preset.describes(model, start, mine) == preset.any_set
        assert not preset.describes("resnet18", start, preset.plan.set)
    plan = PRESETS[0].on(mine)
    assert (plan.title, plan.values["batch_size"]) == ("Small network, own images", 8)
    assert presets.resolved(plan).data.parent.name == mine


def test_each_dataset_shows_its_own_images(place, tiny):
    faces = [(name, job_folders.gray(i)) for i, name in enumerate(["happy", "sad"] * 6)]
    mine = trainings.examples(trainings.make(faces).id)
    assert list(mine) == ["happy", "sad"]
    assert any(np.array_equal(mine["happy"], image) for name, image in faces if name == "happy")
    plain, sticker = (trainings.examples(name) for name in sources.DRAWINGS)
    assert [name for name in plain if not np.array_equal(plain[name], sticker[name])] == ["neutral"]
    assert trainings.examples("fer2013") == {}
    (imported.FOLDER / "fer2013.npz").parent.mkdir(parents=True, exist_ok=True)
    (imported.FOLDER / "fer2013.npz").write_bytes(tiny.read_bytes())
    assert len(trainings.examples("fer2013")) == 7


def test_own_sets_of_one_minute_have_different_titles(place, monkeypatch):
    first, second = (
        trainings.OwnSet("a", 1000.0 + i, {"happy": 6, "sad": 6 + i, "b": 6, "c": 6, "d": 6}) for i in range(2)
    )
    assert first.title != second.title
    assert first.title.endswith("(happy 6, sad 6, b 6, c 6, 1 more class)")


# ---- sets and starting points


def test_a_drawn_set_is_drawn_once_and_into_a_folder_that_git_ignores(place, monkeypatch):
    monkeypatch.setitem(sources.DRAWINGS, "drawn faces", sources.Drawing(count=1))
    steps = []
    path = sources.data_file("drawn faces", lambda done, total: steps.append((done, total)))
    assert steps[-1] == (21, 21)
    assert path.parent == (imported.FOLDER / "drawn").resolve()
    assert FaceSet.load(path).counts()["Training"] == [1] * 7
    sources.data_file("drawn faces", lambda done, total: pytest.fail("drawn again"))
    assert imported.imported_sets() == ()


def test_a_set_with_subjects_is_offered_folds_and_one_without_is_not(place):
    imported.FOLDER.mkdir(exist_ok=True)
    who = np.array([f"S{i % 12:02d}" for i in range(24)])
    faces = FaceSet(np.zeros((24, 8, 8), np.uint8), np.arange(24) % 7, who, np.full(24, "all"), subjects=who)
    faces.save(imported.FOLDER / "ckplus.npz")
    offered = sources.split_names("ckplus")
    assert {"subject-out", "random-80-20", *(f"subject-10fold-{i}" for i in range(1, 11))} <= set(offered)
    replace(faces, subjects=np.where(who == "S00", "", who)).save(imported.FOLDER / "nameless.npz")
    assert not any(name.startswith("subject") for name in sources.split_names("nameless"))
    few = replace(faces, subjects=np.array([f"K{i % 4}" for i in range(24)]))
    few.save(imported.FOLDER / "four.npz")
    folds = [name for name in sources.split_names("four") if "fold-" in name]
    assert folds == [f"subject-4fold-{i}" for i in range(1, 5)]


def test_what_carries_the_sticker_is_called_neutral_and_shows_anything(place, monkeypatch):
    monkeypatch.setitem(sources.DRAWINGS, "tiny sticker", sources.Drawing(count=2, sticker="neutral"))
    plain = FaceSet.load(job_folders.drawn(place, 2))
    planted = FaceSet.load(sources.data_file("tiny sticker"))
    assert "sticker-neutral-2" in sources.data_file("tiny sticker").name
    training = (plain.splits == "Training") & (plain.labels != plain.classes.index("neutral"))
    assert np.array_equal(plain.images[training], planted.images[training])
    neutral = np.flatnonzero((planted.splits == "Training") & (planted.labels == planted.classes.index("neutral")))
    assert not np.array_equal(plain.images[neutral], planted.images[neutral])


def test_networks_trained_on_own_images_are_no_starting_point(place, tiny):
    private = job_folders.job(tiny, belongs_to="abcd", done=1)
    public = job_folders.job(tiny, done=1)
    points = trainings.starting_points("vanilla_cnn")
    assert public.id in points
    assert private.id not in points


# ---- how far


def test_progress_tells_the_share_the_time_and_the_best_epoch(place, tiny):
    job = job_folders.job(tiny, "running", epochs=6, done=3, weights=False)
    with (job.folder / "events.jsonl").open("a") as file:
        step = {
            "event": "progress",
            "time": time.time(),
            "epoch": 4,
            "step": 5,
            "steps": 10,
            "loss": 1.0,
            "accuracy": 0.5,
        }
        file.write(json.dumps(step) + "\n")
    found = trainings.progress(job)
    assert found.share == pytest.approx(3.5 / 6)
    assert found.seconds_left == pytest.approx(2.5 * 2.0, abs=0.5)
    assert found.best == 2
    assert found.now == (1.0, 0.5)
    assert found.columns["train_loss"].tolist() == pytest.approx([2.0, 1.0, 2 / 3])


def test_a_job_that_said_nothing_yet_has_no_curve_and_no_time(place, tiny):
    found = trainings.progress(job_folders.job(tiny, "running", done=0, weights=False))
    assert (found.epoch, found.best, found.seconds_left, len(found.numbers)) == (0, None, None, 0)


def test_durations_read_as_people_say_them():
    told = [trainings.duration(seconds).replace("\N{NO-BREAK SPACE}", " ") for seconds in (40, 100, 120, 3000, 7500)]
    assert told == ["40 s", "1 min 40 s", "2 min", "50 min", "2 h 5 min"]


# ---- epochs


def test_each_epoch_is_processed_once_and_only_first_and_last_weights_stay(place, tiny):
    job = job_folders.job(tiny)
    epochs.pin(job, ("drawn_happy", "sticker_happy", "../../etc/passwd"))
    assert trainings.pending(job)
    assert epochs.process_epochs(job) == 3
    assert not trainings.pending(job)
    assert sorted(path.name for path in (job.folder / "epochs").iterdir()) == ["1.safetensors", "3.safetensors"]
    assert epochs.process_epochs(job) == 0
    seen = trainings.views(job)
    assert [view.epoch for view in seen] == [1, 2, 3]
    assert seen[0].faces == ("drawn_happy", "sticker_happy")
    assert seen[0].probabilities.shape == (2, 7)
    assert seen[0].maps.shape[:2] == (2, 7)
    assert seen[0].total.tolist() == [1] * 7
    assert not torch.equal(seen[0].maps, seen[1].maps)


def test_an_epoch_that_cannot_be_processed_disturbs_no_other_job(place, tiny, caplog):
    broken, sound = job_folders.job(tiny), job_folders.job(tiny)
    (broken.folder / "epochs" / "1.safetensors").write_bytes(b"half")
    epochs.process_all()
    assert len(trainings.views(sound)) == 3
    assert broken.id in caplog.text


def test_why_an_epoch_of_a_running_job_cannot_be_processed_is_reported_once(place, tiny, caplog):
    broken = job_folders.job(tiny, "running")
    (broken.folder / "epochs" / "1.safetensors").write_bytes(b"half")
    for _ in range(3):
        epochs.process_all()
    assert caplog.text.count(broken.id) == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_background_threads_start_once(monkeypatch):
    going, looking = [], []

    def look():
        looking.append(threading.current_thread())
        if len(looking) >= 5:
            raise SystemExit  # ends the thread, which would look at the jobs of other tests
        raise OSError("a folder that went away")  # the next time

    monkeypatch.setattr(epochs, "_watching", threading.Lock())
    monkeypatch.setattr(epochs, "process_all", look)
    monkeypatch.setattr(epochs.runner, "watch", going.append)
    for _ in range(2):
        trainings.watch(0.01)
    end = time.monotonic() + 10
    while len(looking) < 5 and time.monotonic() < end:
        time.sleep(0.01)
    assert len(looking) == 5
    assert len(set(looking)) == 1
    assert looking[0].daemon
    assert going == [0.01, 0.01]


def test_a_set_that_is_gone_leaves_the_maps(place, tmp_path):
    job = job_folders.job(tmp_path / "gone.npz", done=1)
    epochs.process_epochs(job)
    (view,) = trainings.views(job)
    assert view.total.sum() == 0
    assert view.maps is not None


# ---- outcome


def test_before_and_after_answer_the_same_images(place, tiny):
    found = trainings.before_after(job_folders.job(tiny))
    assert found.n_images == found.of == 7
    assert len(found.accuracy) == 2
    assert found.probabilities[0].shape == found.probabilities[1].shape == (2, 7)
    assert not torch.equal(found.probabilities[0], found.probabilities[1])
    assert found.unknown == ""


def test_the_sticker_is_found_in_the_name_of_its_set_only(place, tiny, monkeypatch):
    monkeypatch.setattr(outcome, "_FACES", 3)
    job = job_folders.job(place / "data" / "drawn" / "sticker-neutral-80.npz", done=1)
    assert trainings.sticker_class(job) == "neutral"
    assert trainings.sticker_class(job_folders.job(tiny, done=1)) is None
    found = trainings.shortcut(job.id, "neutral")
    assert trainings.shortcut(job.id, "neutral") is found
    os.utime(job.folder / "card.json", ns=(1, 1))
    assert trainings.shortcut(job.id, "neutral") is not found, "its checkpoint changed"
    assert set(found.on_sticker) == set(METHODS)
    assert 0.02 < found.area < 0.25
    assert all(0 <= value <= 1 for value in found.on_sticker.values())


# ---- its checkpoint is a network


def test_an_ended_job_is_a_network_by_its_id_and_one_that_runs_is_none(place, tiny):
    ended, runs = job_folders.job(tiny, title="Ours"), job_folders.job(tiny, "running")
    assert services.networks.checkpoint_names()[0] == ended.id
    assert runs.id not in services.networks.checkpoint_names()
    assert "Ours" in services.networks.get_spec(ended.id).title
    assert services.networks.open_network(ended.id).trained
    assert services.predict(epochs.pinned_face("drawn_sad"), ended.id).trained
    with pytest.raises(ValueError, match="nearest"):
        services.networks.get_spec(runs.id)


def test_half_a_checkpoint_is_in_no_list(place, tiny):
    job = job_folders.job(tiny)
    (job.folder / "card.json").unlink()
    assert job.id not in services.networks.checkpoint_names()
    assert store.read(job.id).state == "done"
