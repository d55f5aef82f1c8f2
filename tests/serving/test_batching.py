"""The queue before a model: together, in order, fairly, and nobody for the mistakes of others."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable

import numpy as np
import pytest

from plait.errors import DataError
from plait.serving.batching import Aside, Lane, Scored
from plait.serving.errors import RefusedError
from plait.serving.rows import Rows


def rows(*values: float) -> Rows:
    return Rows({"x": np.array(values)}, len(values))


class Model:
    """Doubles numbers; refuses negative ones; waits at a gate."""

    def __init__(self) -> None:
        self.batches: list[list[float]] = []
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, given: Rows) -> Scored:
        assert self.gate.wait(10)
        values = given.columns["x"].tolist()
        self.batches.append(values)
        if min(values) < 0:
            raise DataError("negative")
        return Scored([{"value": 2 * each} for each in values], [{"row": 0, "column": "x", "reason": "first"}])


def run(model: Model, work: Callable[[Lane], Awaitable[None]], **settings: float) -> None:
    async def main() -> None:
        given = {"batch_rows": 4, "batch_ms": 0.0, "queue_rows": 100, **settings}
        lane = Lane(model, **given)  # type: ignore[arg-type]
        try:
            await asyncio.wait_for(work(lane), 20)
        finally:
            model.gate.set()
            await lane.close()

    asyncio.run(main())


def values(scored: Scored) -> list[float]:
    return [each["value"] for each in scored.answers]


def test_what_waits_is_scored_together_and_given_back_in_order() -> None:
    model = Model()

    async def work(lane: Lane) -> None:
        model.gate.clear()
        first = asyncio.create_task(lane.submit(rows(1)))
        await asyncio.sleep(0.01)
        others = [asyncio.create_task(lane.submit(rows(each, each + 0.5))) for each in (2, 3)]
        await asyncio.sleep(0.01)
        model.gate.set()
        assert values(await first) == [2]
        assert [values(await each) for each in others] == [[4, 5], [6, 7]]
        assert [(await each).faults for each in others] == [[{"row": 0, "column": "x", "reason": "first"}], []]

    run(model, work)
    assert model.batches == [[1], [2, 2.5, 3, 3.5]]


def test_small_requests_go_between_the_pieces_of_a_large_one() -> None:
    model = Model()

    async def work(lane: Lane) -> None:
        model.gate.clear()
        large = asyncio.create_task(lane.submit(rows(*range(100, 112))))
        await asyncio.sleep(0.01)
        small = asyncio.create_task(lane.submit(rows(1)))
        await asyncio.sleep(0.01)
        model.gate.set()
        await small
        assert not large.done()
        assert values(await large) == [2 * each for each in range(100, 112)]

    run(model, work)
    assert [1] in model.batches[1:3]


def test_rows_that_cannot_be_read_fail_their_own_request_alone() -> None:
    model = Model()

    async def work(lane: Lane) -> None:
        model.gate.clear()
        tasks = [asyncio.create_task(lane.submit(rows(each))) for each in (1, 2, -3, 4)]
        await asyncio.sleep(0.01)
        model.gate.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(found[2], RefusedError)
        assert found[2].status == 422
        assert [values(each) for each in found if isinstance(each, Scored)] == [[2], [4], [8]]

    run(model, work)


def test_a_full_queue_refuses_and_who_gave_up_leaves_it() -> None:
    model = Model()

    async def work(lane: Lane) -> None:
        model.gate.clear()
        first = asyncio.create_task(lane.submit(rows(1)))
        await asyncio.sleep(0.01)
        waiting = asyncio.create_task(lane.submit(rows(2, 3, 4)))
        await asyncio.sleep(0.01)
        with pytest.raises(RefusedError) as refused:
            await lane.submit(rows(5))
        assert refused.value.status == 503
        assert refused.value.retry_after
        waiting.cancel()
        await asyncio.sleep(0.01)
        assert lane.queued == 0
        again = asyncio.create_task(lane.submit(rows(6)))
        model.gate.set()
        assert values(await again) == [12]
        await first

    run(model, work, queue_rows=3)
    assert [2, 3, 4] not in model.batches


def test_work_aside_is_bounded() -> None:
    async def main() -> None:
        gate = threading.Event()
        aside = Aside(waiting=1)
        first = asyncio.create_task(aside.call(gate.wait))
        await asyncio.sleep(0.01)
        with pytest.raises(RefusedError, match="wait already"):
            await aside.call(gate.wait)
        gate.set()
        assert await first
        await asyncio.sleep(0.01)
        assert await aside.call(lambda: 5) == 5
        await aside.close()

    asyncio.run(main())
