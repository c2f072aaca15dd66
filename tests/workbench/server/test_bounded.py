"""A store stays within its limits, and who fills it displaces its own entries."""

import threading

import pytest

from workbench.server import bounded
from workbench.server.bounded import BoundedStore, Limits


@pytest.fixture
def now(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(bounded.time, "monotonic", lambda: now[0])
    return now


def test_what_is_put_in_is_found_until_it_is_taken_out():
    store = BoundedStore(Limits(10, 10))
    assert store.put("a", "x", owner=1, size=3)
    assert (store.get("a"), store.owner("a"), store.size, len(store)) == ("x", 1, 3, 1)
    assert store.put("a", "y", owner=2, size=4)
    assert (store.get("a"), store.owner("a"), store.size) == ("y", 2, 4)
    assert store.pop("a") == "y"
    assert (store.get("a"), store.owner("a"), store.pop("a"), store.size, len(store)) == (None, None, None, 0, 0)


def test_over_its_share_an_owner_loses_its_own_oldest_entries():
    gone = []
    store = BoundedStore(Limits(total=100, share=5), dropped=lambda key, _: gone.append(key))
    store.put("other", "", owner=2, size=1)
    for key in "abcd":
        store.put(key, "", owner=1, size=2)
    assert gone == ["a", "b"]
    assert store.get("other") is not None


def test_over_the_total_the_owner_of_the_most_loses_entries():
    store = BoundedStore(Limits(total=10, share=8))
    store.put("mine", "", owner="me", size=2)
    for i in range(50):
        store.put(f"{i}", "", owner="flood", size=1)
    assert store.get("mine") is not None
    assert store.size == 10
    for i in range(50):  # with a name of its own for each: then the oldest go
        store.put(f"{i}", "", owner=i, size=1)
    assert store.size <= 10


def test_an_entry_larger_than_a_share_is_not_kept():
    store = BoundedStore(Limits(total=10, share=5))
    assert not store.put("a", "", owner=1, size=6)
    assert store.get("a") is None


def test_an_entry_goes_with_its_time_used_or_not_and_one_put_in_again_stays(now):
    store = BoundedStore(Limits(10, 10, seconds=60))
    for key in "abc":
        store.put(key, "x", owner=1)
    now[0] += 50
    assert store.get("a")
    store.put("b", "x", owner=1)
    now[0] += 20
    assert [store.get(key) for key in "abc"] == [None, "x", None]
    now[0] += 61
    store.sweep()
    assert (len(store), store.size) == (0, 0)


def test_an_entry_that_was_used_gives_way_later():
    store = BoundedStore(Limits(total=3, share=3))
    for key in "abc":
        store.put(key, key, owner=1)
    store.get("a")
    store.put("d", "d", owner=1)
    assert [store.get(key) for key in "abcd"] == ["a", None, "c", "d"]


def test_an_owner_who_stands_for_many_may_have_another_share():
    store = BoundedStore(Limits(total=10, share=2))
    for i in range(8):
        store.put(str(i), i, owner="a tunnel", share=6)
    assert store.size == 6


def test_threads_that_fill_it_together_do_not_pass_its_limits():
    store = BoundedStore(Limits(total=50, share=20))

    def fill(owner: int) -> None:
        for i in range(300):
            store.put(f"{owner}-{i}", i, owner, size=1 + i % 5)
            store.get(f"{owner}-{i // 2}")

    threads = [threading.Thread(target=fill, args=(i,)) for i in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert 0 < store.size <= 50
    assert store.size == sum(entry.size for entry in store._entries.values())
