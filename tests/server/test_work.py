"""The queue in front of the model: bounded, fair, in time, left when the caller leaves, finished at the end."""

import asyncio
import logging
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ego.backbones.base import Backbone
from ego.server.engines.listening import Listener, MetStopError
from ego.server.failures import BusyError, ClosingError
from ego.server.work import LeftError, ModelThread, Ticket
from tests.server.running import SCENE, running, shown


def test_one_after_the_other_and_fair_between_owners() -> None:
    order: list[str] = []
    gate = threading.Event()

    async def play() -> None:
        model = ModelThread(depth=8)
        first = asyncio.create_task(model.run("anna", lambda ticket: gate.wait(5)))
        await asyncio.sleep(0.05)
        rest = [
            asyncio.create_task(model.run(owner, lambda ticket, said=said: order.append(said)))
            for owner, said in (("anna", "anna 1"), ("anna", "anna 2"), ("ben", "ben 1"), ("anna", "anna 3"))
        ]
        await asyncio.sleep(0.05)
        assert len(model) == 4
        gate.set()
        await asyncio.gather(first, *rest)
        model.close()

    asyncio.run(play())
    assert order == ["anna 1", "ben 1", "anna 2", "anna 3"]


def test_full_closed_and_left() -> None:
    gate = threading.Event()

    async def play() -> None:
        model = ModelThread(depth=1)
        asking = asyncio.create_task(model.run("anna", lambda ticket: gate.wait(5)))
        await asyncio.sleep(0.05)
        seen: list[Ticket] = []
        waiting = asyncio.create_task(model.run("anna", seen.append))
        await asyncio.sleep(0.05)
        with pytest.raises(BusyError) as full:
            await model.run("ben", lambda ticket: None)
        assert full.value.retry_after >= 1
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        gate.set()
        assert await asking
        await model.run("anna", lambda ticket: None)
        assert seen == []  # left before its turn: never done
        model.close()
        with pytest.raises(ClosingError):
            await model.run("anna", lambda ticket: None)

    asyncio.run(play())


def test_work_learns_that_its_caller_has_left() -> None:
    ended = threading.Event()

    def endless(ticket: Ticket) -> None:
        try:
            while True:
                ticket.still_wanted()
        except LeftError:
            ended.set()
            raise

    async def play() -> None:
        model = ModelThread(depth=1)
        task = asyncio.create_task(model.run("anna", endless))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.to_thread(model.close)

    asyncio.run(play())
    assert ended.is_set()


def test_work_of_one_kind_is_done_together() -> None:
    gate, batches = threading.Event(), []

    def double(given: Sequence[int]) -> list[tuple[int, int]]:
        batches.append(len(given))
        return list(enumerate(2 * one for one in given))

    async def play() -> list[int]:
        model = ModelThread(depth=9)
        first = asyncio.create_task(model.run("anna", lambda ticket: gate.wait(5)))
        await asyncio.sleep(0.05)
        asked = [asyncio.create_task(model.run_together("anna", n % 2, n, double)) for n in range(5)]
        await asyncio.sleep(0.05)
        gate.set()
        await first
        answers = await asyncio.gather(*asked)
        model.close()
        return answers

    assert asyncio.run(play()) == [0, 2, 4, 6, 8]
    assert sorted(batches) == [2, 3]


def test_answers_of_several_owners_are_given_together_and_in_turns() -> None:
    gate, batches = threading.Event(), []

    def work(given: Sequence[int]) -> list[tuple[int, int | Exception]]:
        batches.append(list(given))
        return list(enumerate(one if one % 5 else ValueError(str(one)) for one in given))

    async def play() -> list[int | BaseException]:
        model = ModelThread(depth=32)
        first = asyncio.create_task(model.run("anna", lambda ticket: gate.wait(5)))
        await asyncio.sleep(0.05)
        asked = [asyncio.create_task(model.run_together("anna", "answer", n, work)) for n in range(1, 13)]
        asked += [asyncio.create_task(model.run_together("ben", "answer", n, work)) for n in (20, 21)]
        await asyncio.sleep(0.05)
        gate.set()
        await first
        answers = await asyncio.gather(*asked, return_exceptions=True)
        model.close()
        return answers

    answers = asyncio.run(play())
    assert batches[0] == [1, 20, 2, 21, 3, 4, 5, 6]
    assert batches[1] == [7, 8, 9, 10, 11, 12]
    assert [one for one in answers if isinstance(one, int)] == [1, 2, 3, 4, 6, 7, 8, 9, 11, 12, 21]
    assert [str(one) for one in answers if isinstance(one, ValueError)] == ["5", "10", "20"]


def test_each_is_answered_when_it_is_done_and_none_is_forgotten() -> None:
    goes_on = threading.Event()

    def work(given: Sequence[str]) -> Iterator[tuple[int, str]]:
        yield given.index("short"), "done"
        assert goes_on.wait(5)
        raise ValueError("broken")

    async def play() -> None:
        model = ModelThread(depth=8)
        first = asyncio.create_task(model.run("anna", lambda ticket: goes_on.wait(0.2)))
        await asyncio.sleep(0.05)
        long = asyncio.create_task(model.run_together("anna", "answer", "long", work))
        short = asyncio.create_task(model.run_together("ben", "answer", "short", work))
        await first
        assert await short == "done"
        assert not long.done()
        goes_on.set()
        with pytest.raises(ValueError, match="broken"):
            await long
        model.close()

    asyncio.run(play())


def test_stop_texts_never_show_in_part() -> None:
    heard: list[str] = []
    listener = Listener(("END", "\n\n"), heard.append)
    for piece in ("one ", "E", "ight EN", "D"):
        if piece == "D":
            with pytest.raises(MetStopError):
                listener.hear(piece)
        else:
            listener.hear(piece)
    assert "".join(heard) == listener.text == "one Eight "
    plain = Listener(("END",), heard.append)
    plain.hear("EN")
    plain.finish()
    assert plain.text == "EN"


def test_too_slow_and_too_many(mini: Backbone, tmp_path: Path) -> None:
    body = {"model": "mini", "messages": shown(SCENE, "Describe it."), "max_tokens": 8}
    with running(mini, tmp_path, timeout=0.01) as served, served.client() as client:
        late = client.post("/v1/chat/completions", json=body)
        assert late.status_code == 504
    with running(mini, tmp_path, queue=1) as served:
        answers: list[int] = []

        def ask() -> None:
            with served.client() as client:
                answers.append(client.post("/v1/chat/completions", json=body).status_code)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(answers) == {200, 429}


def test_what_was_taken_is_answered_before_the_end(mini: Backbone, tmp_path: Path) -> None:
    answers: list[int] = []
    with running(mini, tmp_path) as served:
        taken = threading.Event()
        work = served.service.engine.reply

        async def noticed(*given: Any) -> Any:
            taken.set()
            return await work(*given)

        served.service.engine.reply = noticed  # type: ignore[method-assign]

        def ask() -> None:
            with served.client() as client:
                body = {"model": "mini", "messages": shown(SCENE, "Describe it."), "max_tokens": 8}
                answers.append(client.post("/v1/chat/completions", json=body).status_code)

        asking = threading.Thread(target=ask)
        asking.start()
        assert taken.wait(10)
    asking.join()
    assert answers == [200]


def test_a_caller_who_leaves_costs_no_more_words(
    tiny_backbone: Backbone, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    body = {"model": "ego", "messages": [{"role": "user", "content": "Talk"}], "max_tokens": 4000}
    with running(tiny_backbone, tmp_path, answer_tokens=4000) as served, served.client() as client:
        with client.stream("POST", "/v1/chat/completions", json=body | {"stream": True}) as stream:
            assert next(stream.iter_lines())
        with pytest.raises(httpx2.ReadTimeout):
            client.post("/v1/chat/completions", json=body, timeout=0.5)
        short = client.post("/v1/chat/completions", json=body | {"max_tokens": 3}).json()
        assert short["usage"]["completion_tokens"] == 3
        assert served.service.metrics.answer_tokens._value.get() == 3  # nobody else has been answered
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]  # leaving is no fault
