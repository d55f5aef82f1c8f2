"""Token buckets: no key asks for more than its rate and its burst allow, and what it may ask for it gets."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.serving import limits
from plait.serving.keys import Key
from plait.serving.limits import Limiter


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def key(id: str = "a", rate: float = 2, burst: int = 3) -> Key:
    return Key(
        id, id, frozenset({"predict"}), rate, burst, None, None, None, False, datetime(2026, 1, 1, tzinfo=UTC), None
    )


def test_a_burst_passes_and_then_the_rate() -> None:
    limiter = Limiter(clock=(clock := Clock()))
    assert [limiter.take(key()) for _ in range(4)] == [0, 0, 0, 0.5]
    clock.now += 0.5
    assert limiter.take(key()) == 0
    assert limiter.take(key()) == 0.5
    assert limiter.take(key("b")) == 0


def test_processes_of_a_service_divide_rate_and_burst_among_them() -> None:
    clock = Clock()
    alone, several = Limiter(clock=clock), [Limiter(4, clock=clock) for _ in range(4)]

    def passed(limiters: list[Limiter], limited: Key) -> int:
        return sum(not each.take(limited) for _ in range(100) for each in limiters)

    assert passed([alone], key(rate=8, burst=40)) == passed(several, key(rate=8, burst=40)) == 40
    clock.now += 10
    assert passed([alone], key(rate=8, burst=40)) == passed(several, key(rate=8, burst=40)) == 40
    assert several[0].take(key(rate=8, burst=40)) == pytest.approx(0.5)
    assert passed(several, key("few", rate=8, burst=2)) == 4  # a process that lets nobody in would serve nobody


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 5), st.floats(0.1, 50), st.integers(1, 20), st.lists(st.floats(0, 3), max_size=30))
def test_together_processes_pass_no_more_than_the_key_may(
    processes: int, rate: float, burst: int, pauses: list[float]
) -> None:
    clock, passed = Clock(), 0
    limiters = [Limiter(processes, clock=clock) for _ in range(processes)]
    for pause in pauses:
        clock.now += pause
        for limiter in limiters:
            while not limiter.take(key(rate=rate, burst=burst)):
                passed += 1
        assert passed <= max(burst, processes) + rate * clock.now + 1e-6


def test_what_costs_more_than_a_burst_is_lent_by_a_full_bucket() -> None:
    limiter = Limiter(clock=(clock := Clock()))
    assert limiter.take(key(), 7) == 0
    assert limiter.take(key()) == 2.5
    clock.now += 2.5
    assert limiter.take(key()) == 0
    assert limiter.take(key(), 7) == 1.5


@settings(deadline=None, max_examples=50)
@given(st.floats(0.1, 50), st.integers(1, 20), st.lists(st.tuples(st.floats(0, 3), st.floats(0.1, 5)), max_size=40))
def test_no_more_than_rate_and_burst_pass(rate: float, burst: int, asked: list[tuple[float, float]]) -> None:
    limiter = Limiter(clock=(clock := Clock()))
    limited, passed = key(rate=rate, burst=burst), 0.0
    for pause, cost in asked:
        clock.now += pause
        wait = limiter.take(limited, cost)
        if wait == 0:
            passed += cost
        else:
            clock.now += wait
            assert limiter.take(limited, cost) == 0
            passed += cost
        assert passed <= burst + rate * clock.now + max(0, cost - burst) + 1e-6


def test_buckets_that_are_full_again_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "KEPT", 10)
    limiter = Limiter(clock=(clock := Clock()))
    for i in range(10):
        limiter.take(key(str(i)))
    clock.now += 100
    assert limiter.take(key("new"), 3) == 0
    assert limiter.take(key("new")) > 0
    assert len(limiter._buckets) == 1
