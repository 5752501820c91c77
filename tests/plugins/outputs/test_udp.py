"""The output ``udp``: a datagram for each event, and what is known of those that did not arrive."""

from __future__ import annotations

import asyncio
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ingestd.config.errors import ConfigErrors
from ingestd.event.tally import Tally
from tests.dead_letters.memory import MemoryDeadLetters
from tests.plugins.outputs.datagrams import HOST, receiving
from tests.plugins.outputs.outputs import batch, build, deliver
from tests.waiting import eventually


def output(port: int | str, more: str = "", letters: MemoryDeadLetters | None = None) -> Any:
    return build(f'udp {{ host => "{HOST}" port => {port} retry_backoff_ms => 1 {more} }}', letters=letters)


async def test_each_event_is_a_datagram() -> None:
    with receiving() as receiver:
        sender = output(receiver.port)
        await sender.open()
        await deliver(sender, batch({"n": 1}, {"n": 2}), batch({"n": 3}))
        await eventually(lambda: [json.loads(text)["n"] for text in receiver.datagrams()] == [1, 2, 3])
        assert sender.retry_reason() == ""
        await sender.close()


async def test_codec() -> None:
    with receiving() as receiver:
        sender = output(receiver.port, 'codec => line { format => "%{n}" }')
        await deliver(sender, batch({"n": 1}, {"n": 2}))
        await eventually(lambda: receiver.datagrams() == [b"1\n", b"2\n"])
        await sender.close()


async def test_the_port_of_each_event() -> None:
    with receiving() as first, receiving() as second:
        sender = output('"%{[@metadata][port]}"')
        ports: list[Any] = [first.port, str(second.port), first.port, "x", 0, 65536, None]
        events = [{"n": number, "@metadata": {"port": port}} for number, port in enumerate(ports)]
        rejected = await deliver(sender, batch(*events))
        await eventually(lambda: [json.loads(text)["n"] for text in first.datagrams()] == [0, 2])
        await eventually(lambda: [json.loads(text)["n"] for text in second.datagrams()] == [1])
        assert [json.loads(rejection.raw)["n"] for rejection in rejected] == [3, 4, 5, 6]
        assert [rejection.reason for rejection in rejected[:2]] == ["x is not a port", "0 is not a port"]
        await sender.close()


async def test_more_ports_than_sockets() -> None:
    with ExitStack() as stack:
        receivers = [stack.enter_context(receiving()) for _ in range(70)]
        sender = output('"%{port}"')
        await deliver(sender, batch(*({"port": receiver.port} for receiver in receivers)))
        for receiver in receivers:
            await eventually(lambda: len(receiver.datagrams()) == 1)  # noqa: B023 -- awaited here
        await sender.close()


async def test_a_port_of_an_event_at_which_nobody_receives_holds_up_no_others() -> None:
    with receiving() as receiver:
        with receiving() as gone:
            nobody = gone.port
        sender = output('"%{port}"')
        ports = [nobody, nobody, receiver.port, nobody, receiver.port, nobody]
        for _ in range(3):
            await deliver(sender, batch(*({"port": port} for port in ports)))
        await eventually(lambda: len(receiver.datagrams()) == 6)
        await sender.close()


async def test_an_event_that_is_too_long_is_a_dead_letter() -> None:
    letters = MemoryDeadLetters()
    with receiving() as receiver:
        sender = output(receiver.port, letters=letters)
        events: list[dict[str, Any]] = [{"n": 1}, {"n": 2, "text": "x" * 70_000}, {"n": 3}]
        payloads = [sender.prepare(batch({"n": 0})).payload, sender.prepare(batch(*events)).payload]
        assert await sender.deliver(payloads) == [Tally(delivered=1), Tally(delivered=2, dead=1)]
        await eventually(lambda: [json.loads(text)["n"] for text in receiver.datagrams()] == [0, 1, 3])
        await sender.close()
    [letter] = letters.letters
    assert "too long for a datagram: 70" in letter["reason"]


async def test_events_wait_while_nobody_receives() -> None:
    """On a busy machine a refusal may come late, so that events are sent meanwhile."""
    with receiving() as receiver:
        port = receiver.port
    sender = output(port)
    sent = 0

    async def send() -> None:
        nonlocal sent
        while not receivers:
            await deliver(sender, batch({"n": sent}))
            sent += 1
            await asyncio.sleep(0)

    receivers: list[Any] = []
    task = asyncio.create_task(send())
    await eventually(lambda: "refused" in sender.retry_reason().lower(), "a reason")
    waiting = sent
    with receiving(port) as receiver:
        receivers.append(receiver)
        await task
        await eventually(lambda: bool(receiver.datagrams()))
        assert json.loads(receiver.datagrams()[0])["n"] >= waiting
        assert sender.retry_reason() == ""
    await sender.close()


async def test_a_name_that_cannot_be_resolved() -> None:
    sender = build('udp { host => "nowhere.invalid" port => 1 }')
    delivery = asyncio.create_task(deliver(sender, batch({"n": 1})))
    await eventually(lambda: bool(sender.retry_reason()), "a reason")
    assert not delivery.done()
    delivery.cancel()
    await asyncio.wait([delivery])
    await sender.close()


REFUSED = [
    ("host", 'port => 1 host => "logs..example.org"', "is not the name or address"),
    ("port", "port => 70000", "is not a port"),
    ("name", 'port => "syslog"', "is not a port"),
    ("pause", "port => 1 retry_backoff_ms => -1", "0 or more"),
]


@pytest.mark.parametrize(("options", "reason"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_options_that_cannot_work(tmp_path: Path, options: str, reason: str) -> None:
    place = "" if "host =>" in options else f'host => "{HOST}"'
    with pytest.raises(ConfigErrors, match=reason):
        build(f"udp {{ {place} {options} }}", tmp_path)


def test_logstashs_options_are_taken() -> None:
    build('udp { host => "h" port => "514" retry_count => 3 }')
