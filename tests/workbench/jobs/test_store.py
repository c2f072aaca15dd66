"""A folder of jobs that this account may not read or write."""

from __future__ import annotations

import os
from contextlib import contextmanager

import pytest

from workbench.jobs import runner, store
from workbench.jobs.__main__ import main
from workbench.jobs.store import JobError
from workbench.services import training
from workbench.services.training import sources

pytestmark = pytest.mark.skipif(os.name != "posix", reason="rights of POSIX")


@contextmanager
def without_rights(folder):
    """Inside, the folder has no rights, and the superuser is somebody else."""
    superuser = os.geteuid() == 0
    folder.chmod(0)
    if superuser:
        os.seteuid(65534)
    try:
        yield
    finally:
        if superuser:
            os.seteuid(0)
        folder.chmod(0o700)


@pytest.fixture(params=["jobs", "parent"])
def locked_away(request, place):
    """The folder itself, or the one above it, has no rights."""
    place.mkdir(parents=True)
    with without_rights(place if request.param == "jobs" else place.parent):
        yield place


def test_a_folder_without_rights_holds_no_jobs_and_says_so(locked_away, capsys):
    assert store.jobs() == []
    assert runner.advance() == []
    sentence = store.trouble()
    assert str(locked_away) in sentence
    assert "set FERSCOPE_JOBS" in sentence
    main(["list"])
    assert "FERSCOPE_JOBS" in " ".join(capsys.readouterr().out.split())


def test_a_change_in_a_folder_without_rights_is_the_same_sentence(locked_away):
    with pytest.raises(JobError, match="set FERSCOPE_JOBS"), store.locked(0.1):
        pass


def test_a_file_in_the_place_of_the_folder_is_the_same_sentence(place):
    place.parent.parent.mkdir(exist_ok=True)
    place.parent.write_text("not a folder")
    assert store.jobs() == []
    assert "set FERSCOPE_JOBS" in store.trouble()
    with pytest.raises(JobError, match="set FERSCOPE_JOBS"), store.locked(0.1):
        pass


def test_a_folder_with_rights_or_one_that_can_be_made_is_no_trouble(place):
    assert store.trouble() is None
    with store.locked():
        assert store.trouble() is None


def test_an_error_while_the_jobs_are_held_stays_what_it_is_and_frees_them(place):
    with pytest.raises(PermissionError, match="mine"), store.locked():
        raise PermissionError("mine")
    with store.locked(0.1):
        pass


def test_sets_in_a_folder_without_rights_are_not_there_and_stop_nothing(locked_away):
    assert training.own_sets() == ()
    assert sources.path_of("fer2013").name == "fer2013.npz"
