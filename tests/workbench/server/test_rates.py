"""The token bucket, with a clock of its own."""

import pytest

from workbench.server import rates
from workbench.server.rates import Bucket


@pytest.fixture
def now(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(rates.time, "monotonic", lambda: now[0])
    return now


def test_a_bucket_fills_again(now):
    bucket = Bucket(rate=2, burst=2)
    assert [bucket.take() for _ in range(3)] == [True, True, False]
    now[0] += 0.5
    assert [bucket.take(), bucket.take()] == [True, False]
    now[0] += 100
    assert [bucket.take() for _ in range(3)] == [True, True, False]


def test_a_request_larger_than_what_is_left_takes_nothing(now):
    bucket = Bucket(rate=1, burst=10)
    assert [bucket.take(7), bucket.take(7), bucket.take(3)] == [True, False, True]
