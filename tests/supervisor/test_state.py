"""What the supervisor does with each request in each state: the table is whole, and says what users rely on."""

from __future__ import annotations

import signal

import pytest

from ingestd.supervisor.state import REPLIES, SIGNALS, Reply, Request, State


def test_every_request_has_a_reply_in_every_state() -> None:
    assert REPLIES.keys() == set(State)
    assert all(replies.keys() == set(Request) for replies in REPLIES.values())


CASES = [  # signal, state, reply
    (signal.SIGTERM, State.RUNNING, Reply.NOW),
    (signal.SIGINT, State.RELOADING, Reply.LATER),
    (signal.SIGTERM, State.STOPPING, Reply.IGNORE),
    (signal.SIGTERM, State.UPGRADING, Reply.LATER),
    (signal.SIGHUP, State.RUNNING, Reply.NOW),
    (signal.SIGHUP, State.RELOADING, Reply.LATER),
    (signal.SIGHUP, State.STOPPING, Reply.REFUSE),
    (signal.SIGHUP, State.UPGRADING, Reply.REFUSE),
    (signal.SIGUSR2, State.RUNNING, Reply.NOW),
    (signal.SIGUSR2, State.RELOADING, Reply.NOW),
    (signal.SIGUSR2, State.STOPPING, Reply.REFUSE),
    (signal.SIGUSR2, State.UPGRADING, Reply.IGNORE),
]


@pytest.mark.parametrize(("number", "state", "reply"), CASES)
def test_replies(number: signal.Signals, state: State, reply: Reply) -> None:
    assert REPLIES[state][SIGNALS[number]] is reply


def test_final_states_never_run_a_request() -> None:
    """What ends the daemon is not undone."""
    replies = {reply for state in State if state.final for reply in REPLIES[state].values()}
    assert Reply.NOW not in replies
