"""The store that a command works on, opened and closed; errors become one-line messages and exit code 1."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click

from ingestd.cli.common.errors import os_errors
from ingestd.cli.common.owner import with_hint
from ingestd.settings import Settings
from ingestd.stores.base import LogStore, StoreError, take_missing
from ingestd.stores.open import open_store


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn what a store or the disk raises into a one-line message and exit code 1."""
    with os_errors("the data folder"):
        try:
            yield
        except (StoreError, ValueError) as error:
            check_interrupt()
            raise click.ClickException(with_hint(error, str(error))) from None


@contextmanager
def opened_store(settings: Settings, timeout_s: float | None = None) -> Iterator[LogStore]:
    """Open the store that the settings name, for queries: Ctrl-C ends the one that is running, and ``timeout_s``.

    If answers lacked events of damaged files, these are listed at the end, and the exit code is 1.
    """
    with store_errors():
        store = open_store(settings.store or settings.elasticsearch, settings.data_dir, timeout_s)
        try:
            with _interrupted_by_signal(store):
                yield store
            missing = take_missing(store)
        finally:
            store.close()
    for text in missing:
        click.echo(f"warning: incomplete: {text}", err=True)
    if missing:
        raise SystemExit(1)


_interrupt = threading.Event()


def check_interrupt() -> None:
    """Raise KeyboardInterrupt if Ctrl-C came during a query: DuckDB drops the one that was raised inside of it."""
    if _interrupt.is_set():
        raise KeyboardInterrupt


def _on_interrupt(number: int, frame: FrameType | None) -> None:
    _interrupt.set()
    signal.default_int_handler(number, frame)


@contextmanager
def _interrupted_by_signal(store: LogStore) -> Iterator[None]:
    """Interrupt the running query on Ctrl-C: the main thread handles signals only after DuckDB has returned."""
    interrupt = getattr(store, "interrupt", None)
    if interrupt is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    _interrupt.clear()
    receiver, sender = os.pipe()
    os.set_blocking(sender, False)

    def wait() -> None:
        while number := os.read(receiver, 1):
            if number[0] == signal.SIGINT:
                interrupt()

    previous = signal.set_wakeup_fd(sender)
    handler = signal.signal(signal.SIGINT, _on_interrupt)
    thread = threading.Thread(target=wait, name="interrupt", daemon=True)
    thread.start()
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        signal.set_wakeup_fd(previous)
        os.close(sender)
        thread.join()
        os.close(receiver)
