"""What the supervisor does with each request in each state: the table is whole, and says what users rely on."""

from __future__ import annotations

import signal

import pytest

from ingestd.supervisor.state import REPLIES, SIGNALS, Reply, Request, SupervisorState


def test_every_request_has_a_reply_in_every_state() -> None:
    assert REPLIES.keys() == set(SupervisorState)
    assert all(replies.keys() == set(Request) for replies in REPLIES.values())


CASES = [  # signal, state, reply
    (signal.SIGTERM, SupervisorState.RUNNING, Reply.NOW),
    (signal.SIGINT, SupervisorState.RELOADING, Reply.LATER),
    (signal.SIGTERM, SupervisorState.STOPPING, Reply.IGNORE),
    (signal.SIGTERM, SupervisorState.UPGRADING, Reply.LATER),
    (signal.SIGHUP, SupervisorState.RUNNING, Reply.NOW),
    (signal.SIGHUP, SupervisorState.RELOADING, Reply.LATER),
    (signal.SIGHUP, SupervisorState.STOPPING, Reply.REFUSE),
    (signal.SIGHUP, SupervisorState.UPGRADING, Reply.REFUSE),
    (signal.SIGUSR2, SupervisorState.RUNNING, Reply.NOW),
    (signal.SIGUSR2, SupervisorState.RELOADING, Reply.NOW),
    (signal.SIGUSR2, SupervisorState.STOPPING, Reply.REFUSE),
    (signal.SIGUSR2, SupervisorState.UPGRADING, Reply.IGNORE),
]


@pytest.mark.parametrize(("number", "state", "reply"), CASES)
def test_replies(number: signal.Signals, state: SupervisorState, reply: Reply) -> None:
    assert REPLIES[state][SIGNALS[number]] is reply


def test_final_states_never_run_a_request() -> None:
    """What ends the daemon is not undone."""
    replies = {reply for state in SupervisorState if state.final for reply in REPLIES[state].values()}
    assert Reply.NOW not in replies
