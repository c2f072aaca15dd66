"""Transitions between the states of a job, with a fast stand-in for the training run."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from helpers import histories
from helpers.running_jobs import begun, ended, until

from models.checkpoints import Card, write_card
from models.datasets import EMOTIONS
from models.datasets.splits import split
from models.datasets.synthetic.sets import drawn_set
from models.files import DiskFullError
from models.paths import CODE
from models.training.config import TrainConfig
from models.training.errors import TrainingError
from models.training.lock import locked
from workbench.jobs import limits, processes, runner, store, transfer
from workbench.jobs.__main__ import main as command
from workbench.jobs.store import JobError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="groups of processes and signals of POSIX")
GONE = [pytest.param("a" * 200), "../../etc", "20250101-000000-resnet18-0000", "", "20250101-000000-../x-0000"]


# ---- beginning


def test_a_job_runs_in_a_session_of_its_own_behind_all_others(acting):
    job = begun(acting().id)
    assert (job.state, job.runs) == ("running", 1)
    process = psutil.Process(job.pid)
    assert os.getsid(job.pid) == job.pid == os.getpgid(job.pid)
    assert process.nice() >= 10
    group = Path(f"/proc/{job.pid}/autogroup")  # Linux: processor time is shared out by session
    if group.is_file() and group.read_text():
        assert group.read_text().split()[-1] == "10"
    assert process.environ()["OMP_NUM_THREADS"] == str(job.config.threads)
    assert job.folder.name == job.id
    assert store.ID.fullmatch(job.id)


def test_two_clicks_on_start_are_one_job(acting):
    found = []
    clicks = [threading.Thread(target=lambda: found.append(acting().id)) for _ in range(6)]
    for click in clicks:
        click.start()
    for click in clicks:
        click.join()
    assert len(found) == 6
    assert len(set(found)) == 1
    begun(found[0])
    assert [e["event"] for e in store.events(store.read(found[0]))] == ["started"]
    assert acting(seed=1).id != found[0]


def test_one_at_a_time_computes_on_a_device_and_the_oldest_comes_next(acting):
    first, second, third = acting().id, acting(seed=1).id, acting(seed=2).id
    assert [store.read(i).state for i in (first, second, third)] == ["running", "queued", "queued"]
    begun(first)
    runner.stop(first)
    ended(first)
    until(second, lambda job: job.state == "running")
    assert store.read(third).state == "queued"
    assert runner.stop(third).state == "cancelled"
    assert [job.id for job in store.jobs()] == [third, second, first]


def test_a_process_that_cannot_begin_is_a_failed_job_and_disturbs_no_other(acting, monkeypatch):
    usual = processes.command
    monkeypatch.setattr(processes, "command", lambda job: ["/nowhere/python"] if job.title == "fails" else usual(job))
    job = acting("fails")
    assert (job.state, job.pid) == ("failed", None)
    assert "Could not be started" in job.message
    assert acting(seed=1).state == "running"


def test_while_the_disk_is_short_nothing_begins_and_the_job_says_so(acting, monkeypatch):
    first = acting().id
    begun(first)
    second = acting(seed=1).id
    free = psutil.disk_usage("/")._replace(free=2**20)
    with monkeypatch.context() as full:
        full.setattr(limits.psutil, "disk_usage", lambda path: free)
        runner.stop(first)
        ended(first)
        assert "0.0 GiB are free on the disk" in store.read(second).message
        with pytest.raises(JobError, match="are free on the disk"):
            acting(seed=2)
    assert until(second, lambda job: job.state == "running").message == ""


# ---- ending


@pytest.mark.parametrize(
    ("title", "state", "message"),
    [
        ("ends well", "done", r"^$"),
        ("is not measured", "done", r"^Not evaluated\. No set of this name\.$"),
        ("uses its minutes", "done", r"Time limit reached; 3 of 26 epochs are complete"),
        ("fails", "failed", r"^The loss is no longer a number\.$"),
        ("fails unseen", "failed", r"^No set of this name\.$"),
        ("no memory", "failed", r"^Out of memory with a batch size of 512: try 256\.$"),
        ("is killed", "failed", r"^The system killed the process, .* memory with a batch size of 512: try 256\.$"),
    ],
)
def test_how_a_job_ended_is_reported(acting, title, state, message):
    job = acting(title, batch_size=512)
    histories.put(job.folder, 3)
    job = ended(job.id)
    assert job.state == state
    assert re.search(message, job.message), job.message
    assert (job.pid, job.paused) == (None, title == "uses its minutes")
    assert job.resumable is (title not in ("ends well", "is not measured"))
    assert job.ended >= job.started
    assert job.started >= job.created


def test_a_job_is_told_to_stop_once_and_keeps_its_position(acting):
    job = begun(acting().id)
    assert runner.stop(job.id).state == "stopping"
    runner.stop(job.id)
    job = ended(job.id)
    assert job.state == "cancelled"
    assert [e["event"] for e in store.events(job)] == ["started", "interrupted"]
    assert runner.stop(job.id) == job, "stopping what has ended changes nothing"


def test_one_that_hears_nothing_is_ended_hard(acting, monkeypatch):
    job = until(acting("is deaf").id, lambda job: len(store.events(job)) == 2)
    runner.stop(job.id)
    runner.advance()
    time.sleep(0.2)
    runner.advance()
    assert store.read(job.id).state == "stopping"
    monkeypatch.setattr(runner, "_PATIENCE", 0.1)
    job = ended(job.id)
    assert job.state == "cancelled"


def test_what_a_process_prints_is_kept_short_and_without_control_characters(acting):
    job = until(acting("talks").id, lambda job: len(store.events(job)) == 2)
    runner.advance()
    assert (job.folder / "log.txt").stat().st_size < processes._LOG_BYTES / 3
    assert store.log_tail(job) == "\n".join(["word"] * 40)
    assert (job.folder / "log.txt").read_bytes().startswith(b"[...]\nword\n")
    (job.folder / "log.txt").write_bytes(b"\x1b[1mbold\x1b[0m\x07 \xff\nlast\n")
    assert store.log_tail(job) == "bold \ufffd\nlast"
    assert store.log_tail(job, lines=1) == "last"


# ---- the app ends, and another begins


def test_a_new_app_finds_the_job_that_runs_and_stops_it(acting, monkeypatch):
    job = begun(acting().id)
    monkeypatch.setattr(processes, "_children", {})  # as if another process had begun it
    runner.advance()
    assert store.read(job.id) == job
    runner.stop(job.id)
    assert ended(job.id).state == "cancelled"


def test_a_new_app_marks_jobs_that_ended_silently_as_lost_even_as_zombies(acting, monkeypatch):
    job = begun(acting().id)
    children = dict(processes._children)
    monkeypatch.setattr(processes, "_children", {})
    os.kill(job.pid, 9)
    until(job.id, lambda job: job.state == "lost")
    assert psutil.Process(job.pid).status() == psutil.STATUS_ZOMBIE
    children[job.pid].wait(10)
    histories.put(job.folder, 2)
    lost = store.read(job.id)
    assert (lost.resumable, lost.pid) == (True, None)


def test_another_process_of_the_same_number_is_not_taken_for_the_job(acting):
    job = begun(acting().id)
    other = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])
    try:
        processes.end_now(job)
        store.write(replace(job, pid=other.pid))
        processes.send(store.read(job.id), hard=True)
        assert store.read(job.id).state == "running"
        runner.advance()
        assert store.read(job.id).state == "lost"
        assert other.poll() is None, "and it is left alone"
    finally:
        other.kill()
        other.wait()


def test_an_app_that_dies_between_start_and_note_leaves_a_job_that_is_found(acting, monkeypatch):
    job = begun(acting().id)
    command = [sys.executable, "-S", "-c", "import time; time.sleep(60)", str(job.folder / "config.json")]
    child = subprocess.Popen(command, start_new_session=True)
    try:
        processes.end_now(job)
        store.write(replace(job, pid=None))
        runner.advance()
        assert store.read(job.id).pid == child.pid
        assert store.read(job.id).state == "running"
    finally:
        child.kill()
        child.wait()
    store.write(replace(store.read(job.id), pid=None))
    runner.advance()
    assert store.read(job.id).state == "lost"


def test_only_what_was_told_since_the_last_start_counts(acting):
    job = begun(acting("ends well").id)
    ended(job.id)
    job = store.write(replace(job, title="works on", state="cancelled", pid=None))
    again = runner.resume(job.id)
    assert until(again.id, lambda job: len(store.events(job)) == 3).state == "running"
    store.write(replace(store.read(job.id), started=0.0))  # the clock was set meanwhile
    os.kill(store.read(job.id).pid, 9)
    assert ended(job.id).state == "failed", "the word “finished” is of the process before"


# ---- going on


def test_a_resumed_job_goes_on_in_its_folder_and_half_of_anything_is_swept_away(acting):
    job = begun(acting().id)
    with (job.folder / "events.jsonl").open("a") as file:
        file.write('{"event": "epo')
    (job.folder / ".model.safetensors.x1y2").write_bytes(b"half")
    (job.folder / "epochs").mkdir()
    (job.folder / "epochs" / ".2.safetensors.ab").write_bytes(b"half")
    os.kill(job.pid, 9)
    assert ended(job.id).resumable
    again = runner.resume(job.id)
    assert again.id == job.id
    assert runner.resume(job.id).state == "running", "two clicks on resume are one"
    job = until(job.id, lambda job: len(store.events(job)) == 2)
    assert job.runs == 2
    assert [path.name for path in job.folder.rglob(".*")] == []


def test_nothing_is_left_to_resume_of_a_job_that_is_done_or_still_ending(acting):
    job = acting("ends well")
    ended(job.id)
    with pytest.raises(JobError, match="no epochs left to train"):
        runner.resume(job.id)
    deaf = until(acting("is deaf").id, lambda job: len(store.events(job)) == 2)
    runner.stop(deaf.id)
    with pytest.raises(JobError, match="still stopping"):
        runner.resume(deaf.id)


def test_what_still_runs_is_not_removed_and_what_ended_goes_with_its_folder(acting):
    job = begun(acting().id)
    with pytest.raises(JobError, match="stop it first"):
        runner.remove(job.id)
    runner.stop(job.id)
    ended(job.id)
    runner.remove(job.id)
    assert store.jobs() == []
    assert [path.name for path in store.ROOT.iterdir()] == [".lock"]


@pytest.mark.parametrize("id_", GONE)
@pytest.mark.parametrize("act", [store.read, runner.stop, runner.resume, runner.remove])
def test_an_id_that_is_none_reaches_no_file(place, act, id_):
    with pytest.raises(JobError, match="There is no job"):
        act(id_)


# ---- a visitor's own images


def test_a_job_belongs_to_the_images_it_learns_from_whatever_is_said(acting, place):
    own = store.OWN / "class5b" / "faces.npz"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"pictures")
    job = acting("ends well", data=own)
    assert job.belongs_to == "class5b"
    ended(job.id)
    card = Card("vanilla_cnn", ("a", "b"), 48, 0.5, 0.2, "quick", "official", "", 0, 1, 1, "cpu", "32-true", 1.0, 1)
    write_card(job.folder, card)
    heir = acting(start_from=job.folder, seed=7)
    assert heir.belongs_to == "class5b"
    with pytest.raises(JobError, match="another visitor's own dataset"):
        acting(start_from=job.folder, belongs_to="another")
    other = acting(seed=8)
    begun(heir.id)
    assert runner.forget("class5b") == 2
    assert [job.id for job in store.jobs()] == [other.id]
    assert not psutil.pid_exists(heir.pid)
    assert runner.forget("class5b") == 0


# ---- what is refused


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model": "resnet19"}, "resnet18"),
        ({"overrides": {"widht": 8}}, r'no option "widht"; its options are width, .* Did you mean width\?'),
        ({"trained_stages": 9}, "vanilla_cnn has 4 stages"),
        ({"epochs": 501}, "501 epochs exceed the limit of this computer: choose at most 500"),
        ({"minutes": 721.0}, "721 minutes exceed"),
        ({"batch_size": 2048}, "2048 images in one step exceed"),
        ({"data": "nowhere.npz"}, r'There is no dataset "nowhere\.npz"'),
        ({"start_from": "nowhere"}, r'The checkpoint "nowhere" cannot be read'),
        ({"distillation": 0.5}, "Distillation needs a teacher"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_is_written(acting, place, values, message):
    with pytest.raises(JobError, match=message):
        acting(**values)
    assert store.jobs() == []


def test_a_starting_point_of_another_network_is_refused(acting, place, tmp_path):
    card = Card("resnet18", ("a", "b"), 48, 0.5, 0.2, "quick", "official", "", 0, 1, 1, "cpu", "32-true", 1.0, 1)
    write_card(tmp_path / "start", card)
    with pytest.raises(JobError, match=r'"start" is of resnet18, not of vanilla_cnn'):
        acting(start_from=tmp_path / "start")


def test_a_start_that_has_seen_the_test_images_is_refused_before_it_waits(acting, tmp_path):
    faces = drawn_set(2).faces
    faces.save(tmp_path / "faces.npz")
    data = split(faces, "random-80-20").fingerprint
    card = Card("vanilla_cnn", EMOTIONS, 48, 0.5, 0.2, "quick", "random-80-20", data, 0, 1, 1, "cpu", "32-true", 1.0, 1)
    write_card(tmp_path / "start", card)
    for values in ({"start_from": tmp_path / "start"}, {"teacher": tmp_path / "start", "distillation": 0.5}):
        with pytest.raises(JobError, match=r"start: trained on or selected by \d+ of \d+ images of PublicTest"):
            acting(**values)
        assert store.jobs() == []
    assert acting(start_from=tmp_path / "start", allow_seen=True).config.allow_seen


def test_there_are_only_so_many_jobs(acting, monkeypatch):
    monkeypatch.setattr(limits, "LIMITS", limits.Limits(jobs=3, waiting=1))
    acting()
    acting(seed=1)
    with pytest.raises(JobError, match="1 jobs are queued"):
        acting(seed=2)
    runner.stop(acting(seed=1).id)
    acting(seed=2)
    runner.stop(acting(seed=2).id)
    with pytest.raises(JobError, match="There are 3 jobs"):
        acting(seed=3)


def test_a_set_of_own_images_has_enough_of_each_class(monkeypatch):
    limits.check_own_set({"happy": 20, "sad": 5})
    for counts, message in (
        ({"happy": 20}, "1 classes"),
        ({"happy": 20, "sad": 1}, r"Too few images of sad \(1\)"),
        ({"happy": 999, "sad": 5}, "1004 images"),
    ):
        with pytest.raises(JobError, match=message):
            limits.check_own_set(counts)


def test_a_full_disk_leaves_nothing_of_a_job_and_all_others_as_they_are(acting, monkeypatch):
    first = begun(acting().id)

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        with pytest.raises(DiskFullError, match="free some space"):
            acting(seed=1)
        with pytest.raises(DiskFullError):
            runner.stop(first.id)
        assert store.read(first.id) == first, "what cannot be written stays as it was"
    assert [path.name for path in store.ROOT.glob(".new*")] == []
    assert ended(first.id).state == "cancelled", "it was asked to end all the same, which is noted once there is room"


def test_whoever_waits_too_long_for_another_is_reported(acting, monkeypatch):
    job = begun(acting().id)
    taken, free = threading.Event(), threading.Event()

    def hold():
        with store.locked():
            taken.set()
            free.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    taken.wait(10)
    try:
        with pytest.raises(JobError, match="Another FERScope"), store.locked(0.05):
            pass
        assert runner.advance() == [job]
    finally:
        free.set()
        holder.join()


SPOILED = [
    ("status.json", "{", "EOF"),
    ("status.json", "[]", "not the status"),
    ("status.json", "[" * 100_000, "recursion"),
    ("status.json", {"created": "x"}, "created"),
    ("status.json", {"epochs": -1}, "epochs"),
    ("status.json", {"state": "asleep"}, "state"),
    ("status.json", {"network": "resnet19"}, "resnet19"),
    ("status.json", {"pid": "1"}, "pid"),
    ("status.json", {"more": 1}, "more"),
    ("status.json", None, "missing"),
    ("config.json", {"new": 1}, "new"),
    ("config.json", {"epochs": "7"}, "epochs"),
    ("config.json", {"input_size": 10**6}, "input_size"),
    ("config.json", {"learning_rate": 1e999}, "learning_rate"),
    ("config.json", None, "missing"),
    ("history.csv", "1,abc\n", "epoch"),
    ("history.csv", "epoch,train_loss\n1,0.5\n", "learning_rate"),
    ("history.csv", "\xff", "ascii"),
    ("card.json", '{"metrics": [1]}', "network"),
]


@pytest.mark.parametrize(("file", "content", "why"), SPOILED)
def test_a_job_with_a_damaged_file_is_broken_and_the_others_go_on(acting, capsys, file, content, why):
    damaged, sound = (ended(acting("ends well", seed=seed).id) for seed in (1, 2))
    path = damaged.folder / file
    if isinstance(content, dict):
        content = json.dumps(json.loads(path.read_text()) | content)
    path.write_text(content, encoding="latin-1") if content is not None else path.unlink()
    found = {job.id: job for job in runner.advance()}
    assert found[sound.id] == sound
    job = found[damaged.id]
    assert (job.state, job.alive, job.resumable, job.has_checkpoint) == ("broken", False, False, False)
    assert file in job.message
    assert why in job.message
    assert (store.history(job), job.config.model if file != "config.json" else "") is not None
    for act in (transfer.export, transfer.promote, runner.resume):
        with pytest.raises(JobError):
            act(job.id)
    assert runner.stop(job.id) == job
    command(["list"])
    assert "broken" in capsys.readouterr().out
    assert ended(acting("ends well", seed=3).id).state == "done", "and new ones run"
    runner.remove(job.id)
    assert job.id not in {job.id for job in store.jobs()}


def test_own_images_are_forgotten_also_by_a_broken_job(acting):
    for file, content in (("config.json", '{"new": 1}'), ("status.json", "{")):
        own = store.OWN / "class5b" / "faces.npz"
        own.parent.mkdir(parents=True, exist_ok=True)
        own.write_bytes(b"pictures")
        job = ended(acting("ends well", data=own).id)
        (job.folder / file).write_text(content)
        assert store.read(job.id).state == "broken"
        assert runner.forget("another") == 0
        assert runner.forget("class5b") == 1
        assert store.jobs() == []


def test_a_status_of_an_earlier_version_is_read(acting):
    job = ended(acting("ends well").id)
    path = job.folder / "status.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"born": 1.5}))
    assert store.read(job.id) == job


# ---- one process at a time in a folder


HOLDS = """
import sys, time
from pathlib import Path
from models.training.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(acting):
    """A job, and a process that trains in its folder which nobody knows the number of."""
    job = ended(acting("ends well").id)
    child = subprocess.Popen([sys.executable, "-c", HOLDS, str(job.folder)], stdout=subprocess.PIPE, cwd=CODE)
    child.stdout.readline()
    yield job, child
    child.kill()
    child.wait()


def test_a_lock_decides_whether_a_job_runs_whatever_clock_and_number_say(holder):
    job, child = holder
    store.write(replace(job, state="running", pid=2**22 - 1, started=time.time() + 3600))
    runner.advance()
    assert store.read(job.id).state == "running"
    for act in (runner.resume, runner.stop):
        assert act(job.id).state in ("running", "stopping"), "and no second process is begun"
    with pytest.raises(JobError, match="is running"):
        runner.remove(job.id)
    child.kill()
    child.wait()
    assert ended(job.id).state in ("lost", "cancelled", "done")


def test_a_job_that_was_taken_for_lost_while_its_process_works_is_not_begun_twice(holder):
    job, _ = holder
    store.write(replace(job, state="lost"))
    assert runner.resume(job.id).state == "running"
    assert store.read(job.id).runs == job.runs
    with pytest.raises(TrainingError, match="Another process trains"), locked(job.folder):
        pass


def test_a_running_job_is_found_after_the_clock_was_set(acting, monkeypatch):
    job = begun(acting().id)
    processes._children.clear()  # another FERScope looks
    real = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: real(self) + 3600)
    runner.advance()
    assert store.read(job.id) == job
    assert runner.resume(job.id) == job


def test_the_title_is_one_short_line(acting, monkeypatch):
    monkeypatch.setattr(processes, "command", lambda job: ["/nowhere/python"])
    assert acting(" a\n\tb\x00 " + "c" * 200).title == "a b " + "c" * 76
    assert acting("", seed=1).title == "vanilla_cnn, quick, faces"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_thread_that_watches_begins_once(monkeypatch):
    calls = []

    def look():
        calls.append(threading.current_thread())
        if len(calls) >= 5:
            raise SystemExit  # ends the thread, which would look after the jobs of other tests

    monkeypatch.setattr(runner, "_watching", threading.Lock())
    monkeypatch.setattr(runner, "advance", look)
    runner.watch(0.01)
    runner.watch(0.01)
    end = time.monotonic() + 10
    while len(calls) < 5 and time.monotonic() < end:
        time.sleep(0.01)
    assert len(set(calls)) == 1
    assert calls[0].daemon


def test_the_configuration_gets_whole_paths_threads_and_an_end(acting, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    job = acting(data="faces.npz")
    config = job.config
    assert config.data == tmp_path / "faces.npz"
    assert (config.folder, config.resume) == (job.folder, True)
    assert (config.threads, config.minutes) == (processes.default_threads(), limits.LIMITS.minutes)
    assert TrainConfig(model="vanilla_cnn", data="faces.npz").curve() == config.curve()
