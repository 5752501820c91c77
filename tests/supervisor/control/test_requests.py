"""Whoever asks for a reload is answered when it has ended, not when it has started."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from ingestd.supervisor.control.request_results import RequestResults
from ingestd.supervisor.control.requests import Requests
from ingestd.supervisor.state import Request, SupervisorState


class World:
    """A supervisor that does nothing: ``state`` is what it says to be doing, ``error`` why it cannot do a request."""

    def __init__(self, data_dir: Path) -> None:
        self.state, self.error = SupervisorState.RUNNING, ""
        self.done: list[str] = []
        self.answers: list[tuple[str, str, str]] = []
        actions: dict[Request, Callable[[str], str]] = {request: partial(self._act, request) for request in Request}
        self.requests = Requests(RequestResults(data_dir), actions, lambda: self.state)

    def _act(self, request: Request, cause: str) -> str:
        self.done.append(f"{request.value} {cause}")
        if request is Request.RELOAD and not self.error:
            self.state = SupervisorState.RELOADING
        return self.error

    def ask(self, name: str) -> None:
        self.requests.add(Request.RELOAD, name, lambda error, text: self.answers.append((name, error, text)))
        self.requests.handle()

    def end(self) -> None:
        """End the reload that is going on."""
        self.requests.finish(Request.RELOAD, text="applied")
        self.state = SupervisorState.RUNNING
        self.requests.resume(Request.STOP, Request.RELOAD)
        self.requests.handle()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_the_answer_waits_for_the_end(world: World) -> None:
    world.ask("a")
    assert world.answers == []
    world.end()
    assert world.answers == [("a", "", "applied")]


def test_requests_during_a_reload_share_the_next_one(world: World) -> None:
    for name in "abc":
        world.ask(name)
    world.end()
    assert (world.done, world.answers) == (["reload a", "reload b"], [("a", "", "applied")])
    world.end()
    assert world.done == ["reload a", "reload b"]
    assert world.answers == [(name, "", "applied") for name in "abc"]


def test_a_rejected_config_is_answered_at_once(world: World) -> None:
    world.error = "a.conf:1:1: error"
    world.ask("a")
    assert world.answers == [("a", "a.conf:1:1: error", "")]


@pytest.mark.parametrize("state", [SupervisorState.STOPPING, SupervisorState.UPGRADING])
def test_what_is_refused_is_answered_at_once(world: World, state: SupervisorState) -> None:
    world.state = state
    world.ask("a")
    assert (world.done, world.answers) == ([], [("a", f"the daemon is {state.value}", "")])
