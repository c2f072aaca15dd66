"""How often a password or token may be guessed."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from workbench.server import attempts
from workbench.server.attempts import Attempts, refusal


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands until it is moved: `clock[0] += seconds`."""
    now = [1000.0]
    monkeypatch.setattr(attempts.time, "monotonic", lambda: now[0])
    return now


def test_an_address_has_five_attempts_then_waits_twice_as_long_each_time(clock):
    tried = Attempts()
    assert [tried.begin("a") for _ in range(5)] == [0.0] * 5
    for wait in (60, 120, 240, 480, 900, 900):
        assert tried.begin("a") == wait
        clock[0] += wait - 1
        assert tried.begin("a") == 1, "an attempt during the lock does not make it longer"
        clock[0] += 1
        assert tried.begin("a") == 0


def test_another_address_is_not_locked(clock):
    tried = Attempts()
    for _ in range(10):
        tried.begin("a")
    assert tried.begin("b") == 0


def test_all_addresses_together_have_a_limit_which_spares_the_computer_itself(clock):
    tried = Attempts()
    checked = sum(tried.begin(f"10.0.0.{i}") == 0 for i in range(200))
    assert checked == attempts.BURST
    assert tried.begin("10.1.0.1") > 0
    assert tried.begin("127.0.0.1", exempt_from_all=True) == 0
    clock[0] += 60
    assert sum(tried.begin(f"10.2.0.{i}") == 0 for i in range(200)) == 60 * attempts.PER_SECOND


def test_a_right_attempt_forgets_the_wrong_ones(clock):
    tried = Attempts()
    for _ in range(100):
        for _ in range(5):
            assert tried.begin("a") == 0
        tried.succeeded("a")
        clock[0] += 10


def test_attempts_at_the_same_time_are_counted(clock):
    tried = Attempts()
    with ThreadPoolExecutor(16) as pool:
        waits = list(pool.map(lambda _: tried.begin("a"), range(200)))
    assert waits.count(0.0) == 5


def test_an_address_is_forgotten_after_an_hour_and_their_number_is_bounded(clock):
    tried = Attempts()
    for _ in range(9):
        tried.begin("a")
    clock[0] += attempts.FORGOTTEN_AFTER + 1
    assert [tried.begin("a") for _ in range(5)] == [0.0] * 5
    for i in range(2 * attempts.ADDRESSES):
        tried.begin(str(i))
    assert len(tried._records) <= attempts.ADDRESSES


def test_the_refusal_says_how_long():
    assert refusal(0.2) == "Too many wrong attempts: wait 1 second, then try again."
    assert refusal(900) == "Too many wrong attempts: wait 15 minutes, then try again."
