"""The sockets of the supervisor: it listens, accepts, and keeps a duplicate of every connection until it has ended.

Some connections end with the process that reads them, as what is known about them is in its memory (``outlives_reader``
of a ``Listener``). They are not stored with systemd, and are closed with their worker.
"""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from ingestd.logs import get_logger
from ingestd.supervisor.connections.datagrams import DatagramChanges, DatagramListener, open_missing
from ingestd.supervisor.connections.descriptors import room_for_connections
from ingestd.supervisor.connections.manifest import (
    Manifest,
    ShortNames,
    is_manifest,
    memory_file,
    passed_on_descriptors,
)
from ingestd.supervisor.connections.sockets import (
    Connection,
    Listener,
    address_of,
    listen,
    listener_key,
    listens_on,
    resume,
    stored_connection,
    suspend,
    widen,
)
from ingestd.supervisor.notify import Notifier, inherited

log = get_logger(__name__)

UPGRADE_VARIABLE = "INGESTD_KEEPER_FDS"
"""How descriptors get through ``exec``: the descriptor of a file with ``name=fd`` pairs, separated by blanks. Earlier
versions had the pairs themselves in the variable, which holds 128 KiB at most."""

_ACCEPTS = 64
"""Connections accepted in a row before the other sockets are served."""

_PAUSE = 1.0
"""How long nothing is accepted when the system has no room for another connection."""

_SHORT_PAUSE = 0.02
"""How long nothing is accepted when the workers are behind, in a storm of connections: the clients wait."""

_LIMIT_HELP = "raise the limit of open files (LimitNOFILE= in the systemd unit, ulimit -n), or set max_connections"

_Key = tuple[str, str]  # pipeline and input


class Acceptor:
    """Holds listening and accepted sockets; new connections go to ``on_accept``.

    Args:
        selector: Where the listening sockets are watched; a ready one's ``data`` is to be called.
        notifier: systemd, which keeps duplicates of all sockets over restarts.
        new_id: Makes ids of connections.
        choose_worker: Says which worker reads a new connection.
        on_accept: Called with each new connection.
        is_behind: Returns whether the workers have enough to do with the connections that they were given.
    """

    def __init__(
        self,
        selector: selectors.BaseSelector,
        notifier: Notifier,
        new_id: Callable[[], str],
        choose_worker: Callable[[], int],
        on_accept: Callable[[Connection], None],
        is_behind: Callable[[], bool],
    ) -> None:
        self._selector, self._notifier = selector, notifier
        self._new_id, self._choose_worker, self._on_accept = new_id, choose_worker, on_accept
        self._is_behind = is_behind
        self._listening_sockets: dict[_Key, socket.socket] = {}
        self._listeners: dict[_Key, Listener] = {}
        self.connections: dict[str, Connection] = {}
        self.loads: Counter[int] = Counter()
        """Connections of each worker."""
        self._connection_counts: Counter[_Key] = Counter()  # of each input, for ``max_connections``
        self._room, self._last_room = 1 << 30, 1 << 30
        self._resume_at: float | None = None  # when listeners that pause are watched again
        self._names = ShortNames()
        self._manifest = Manifest(notifier)
        self._long_names: dict[str, Connection] = {}  # connections that an earlier version has stored

    def _add(self, connection: Connection) -> None:
        self.connections[connection.id] = connection
        self.loads[connection.worker] += 1
        self._connection_counts[connection.pipeline, connection.input] += not connection.datagrams

    @property
    def open_connections(self) -> int:
        """How many connections there are."""
        return self._connection_counts.total()

    def adopt(self, environ: Mapping[str, str], listeners: Sequence[Listener]) -> None:
        """Take over the sockets that an earlier supervisor left, through systemd or ``exec``."""
        if passed_on := environ.get(UPGRADE_VARIABLE):  # systemd's variables are those of the program before
            found = passed_on_descriptors(passed_on)
        else:
            found = inherited(environ, os.getpid())
        manifests = [pair for pair in found if is_manifest(pair[0])]
        entries = self._manifest.adopt(manifests)
        sockets = [pair for pair in found if pair not in manifests]
        bound = {_key(listener) for listener in listeners if not listener.outlives_reader}
        for name, fd in sockets:
            if key := listener_key(name):
                self._adopt_listener(key, fd)
            elif connection := stored_connection(name, fd, entries):
                ends = not connection.datagrams and (connection.pipeline, connection.input) in bound
                connection.outlives_reader = not ends
                self._adopt_connection(connection, name)
            elif len(sockets) == 1 and len(listeners) == 1:  # a socket unit with a name of its own
                self._adopt_listener((listeners[0].pipeline, listeners[0].input), fd)
            else:
                log.warning("a descriptor with an unknown name was passed to us and is closed", name=name)
                self._notifier.forget(name)
                os.close(fd)
        if entries or self.connections:
            self._rename_adopted()
            log.info("connections were taken over", connections=self.open_connections)

    def _adopt_listener(self, key: _Key, fd: int) -> None:
        sock = socket.socket(fileno=fd)
        sock.setblocking(False)
        if key in self._listening_sockets:
            self._listening_sockets[key].close()
        self._listening_sockets[key] = sock

    def _adopt_connection(self, connection: Connection, name: str) -> None:
        if connection.id in self.connections:  # an earlier supervisor was killed while it renamed it
            self._notifier.forget(name)
            connection.sock.close()
        else:
            self._add(connection)
            self._long_names |= {} if connection.name else {name: connection}

    def _rename_adopted(self) -> None:
        """Write a manifest of the connections that are left, and give short names to those that have none."""
        self._names.reserve(connection.name for connection in self.connections.values() if connection.name)
        for connection in self._long_names.values():
            connection.name = self._names.take()
        self._rewrite_manifest()
        for name, connection in self._long_names.items():
            self._notifier.store(connection.name, connection.sock.fileno())
            self._notifier.forget(name)
        self._long_names = {}

    def _rewrite_manifest(self) -> None:
        self._manifest.rewrite(connection.entry() for connection in self.connections.values())

    def listen(self, listeners: Iterable[Listener], datagrams: Sequence[DatagramListener] | None = None) -> None:
        """Listen on exactly these; a socket that fits is kept, with the clients that are waiting on it.

        ``datagrams``: the sockets for datagrams that are needed; None: those that are open.

        Raises:
            OSError: An address cannot be used; then everything is as before.
        """
        changes = None if datagrams is None else open_missing(datagrams, [*self.connections.values()])
        try:
            self._listen(listeners)
        except OSError:
            if changes is not None:
                changes.close()
            raise
        if changes is not None:
            self._receive(changes)

    def _receive(self, changes: DatagramChanges) -> None:
        for connection in changes.leaving:
            self.forget(connection.id)
        for listener, sock in changes.opened:
            connection = changes.connection(self._new_id(), listener, sock, self._choose_worker(), self._names.take())
            self._add(connection)
            self._manifest.append(connection.entry())
            self._notifier.store(connection.name, sock.fileno())

    def _listen(self, listeners: Iterable[Listener]) -> None:
        wanted = {_key(listener): listener for listener in listeners}
        kept = {
            key
            for key, listener in wanted.items()
            if key in self._listening_sockets and listens_on(self._listening_sockets[key], listener)
        }
        leaving = {key: sock for key, sock in self._listening_sockets.items() if key not in kept}
        for key in leaving.keys() & wanted.keys():
            self._accept_waiting(key, leaving[key])
        addresses = {key: suspend(sock) for key, sock in leaving.items()}  # they may overlap with those to be opened
        opened: dict[_Key, socket.socket] = {}
        try:
            for key in wanted.keys() - kept:
                opened[key] = listen(wanted[key])
        except OSError:
            for sock in opened.values():
                sock.close()
            for key, sock in leaving.items():
                resume(sock, addresses[key])
            raise
        for key in leaving:
            self._close_listener(key)
        self._listening_sockets |= opened
        self._room, self._last_room = room_for_connections(len(self.connections))
        self._listeners = wanted
        for key, sock in self._listening_sockets.items():
            host, port = address_of(sock)
            if key in opened:
                self._notifier.store(wanted[key].name, sock.fileno())
            self._watch(key)
            log.info("listening for events", pipeline=key[0], input=key[1], host=host, port=port)

    def _accept_waiting(self, key: _Key, listening: socket.socket) -> None:
        """Accept the clients that are waiting on a socket which is about to be closed."""
        with suppress(OSError):  # none is left, or there is no room for them
            while len(self.connections) < self._last_room:
                self._take_over(*listening.accept(), key)

    def _close_listener(self, key: _Key) -> None:
        sock = self._listening_sockets.pop(key)
        self._unwatch(sock)
        self._notifier.forget(self._listeners[key].name if key in self._listeners else Listener(*key, "", 0).name)
        sock.close()

    def _watch(self, key: _Key) -> None:
        sock = self._listening_sockets[key]
        self._unwatch(sock)
        self._selector.register(sock, selectors.EVENT_READ, lambda: self._accept(key))

    def _unwatch(self, sock: socket.socket) -> None:
        if sock.fileno() in self._selector.get_map():
            self._selector.unregister(sock)

    def _accept(self, key: _Key) -> None:
        listener, listening = self._listeners.get(key), self._listening_sockets.get(key)
        if listener is None or listening is None:  # closed in this round of the selector
            return
        for _ in range(_ACCEPTS):
            if self._is_full(listener):
                self._unwatch(listening)  # the rest wait in the kernel's queue
                return
            if self._is_behind():
                self._pause(listening, _SHORT_PAUSE)
                return
            try:
                sock, address = listening.accept()
            except (BlockingIOError, ConnectionError):
                return
            except OSError as error:  # the system is out of descriptors or memory: keep serving the others
                log.warning("a connection could not be accepted", input=listener.input, error=error.strerror)
                self._pause(listening, _PAUSE)
                return
            self._take_over(sock, address, key)

    def _pause(self, listening: socket.socket, seconds: float) -> None:
        self._unwatch(listening)
        self._resume_at = time.monotonic() + seconds

    def _is_full(self, listener: Listener) -> bool:
        """Return whether no more connections of a listener may be accepted now; that is logged."""
        text = "no more connections are accepted"
        if listener.max_connections and self._connection_counts[_key(listener)] >= listener.max_connections:
            log.warning(text, input=listener.input, max_connections=listener.max_connections)
            return True
        if len(self.connections) >= self._room:
            log.warning(text, input=listener.input, open_files_allow=self._room, help=_LIMIT_HELP)
            return True
        return False

    def tick(self) -> None:
        """Accept again, when it is time."""
        if self._resume_at is not None and self._resume_at <= time.monotonic():
            self._resume_at = None
            self._watch_all()

    def next_deadline(self) -> float | None:
        """Return when ``tick`` has something to do next, on the monotonic clock; None: nothing is planned."""
        return self._resume_at

    def _watch_all(self) -> None:
        for key in self._listeners.keys() & self._listening_sockets.keys():
            if self._listening_sockets[key].fileno() not in self._selector.get_map():
                self._watch(key)

    def _take_over(self, sock: socket.socket, address: tuple[str, int] | str, key: _Key) -> None:
        try:
            self._set_up(sock, address, key)
        except Exception as error:
            log.exception("a connection is closed: it cannot be set up", input=key[1], error=repr(error))
            sock.close()

    def _set_up(self, sock: socket.socket, address: tuple[str, int] | str, key: _Key) -> None:
        sock.setblocking(False)
        widen(sock)
        host, port = ("", 0) if isinstance(address, str) else address[:2]
        connection = Connection(self._new_id(), sock, *key, self._choose_worker(), host, port, self._names.take())
        listener = self._listeners.get(key)
        connection.outlives_reader = listener is None or listener.outlives_reader
        self._add(connection)
        try:
            self._manifest.append(connection.entry())
            if connection.outlives_reader:
                self._notifier.store(connection.name, sock.fileno())
            self._on_accept(connection)
        except BaseException:
            self.forget(connection.id)
            raise

    def set_client(self, connection_id: str, client: list[Any]) -> None:
        """Remember host and port of the client behind a proxy, for the next reader of its connection."""
        connection = self.connections.get(connection_id)
        if connection is None or connection.client == client:
            return
        connection.client = client
        try:
            self._manifest.append(connection.entry())
        except OSError as error:
            log.warning("the address of a proxy's client will be unknown after an upgrade", error=error.strerror)

    def set_drops(self, connection_id: str, drops: int) -> None:
        """Remember how many dropped datagrams were counted, for the next reader of the socket."""
        connection = self.connections.get(connection_id)
        if connection is not None:
            connection.drops = drops
            with suppress(OSError):  # then an upgrade counts them once more
                self._manifest.append(connection.entry())

    def forget(self, connection_id: str) -> None:
        """Close our duplicate of a connection that has ended; a listener at its limit may accept again."""
        connection = self.connections.pop(connection_id, None)
        if connection is None:
            return
        self._notifier.forget(connection.name)
        self._names.release(connection.name)
        connection.sock.close()
        key = (connection.pipeline, connection.input)
        self.loads[connection.worker] -= 1
        self._connection_counts[key] -= not connection.datagrams
        if self._resume_at is None:
            self._watch_all()
        if self._manifest.needs_rewriting(len(self.connections)):
            self._rewrite_manifest()

    def close_unfinished(self, worker: int) -> tuple[int, int]:
        """Close the connections that ended with a worker's process; return how many stay open, and how many do not."""
        of_worker = [each for each in self.connections.values() if each.worker == worker and not each.datagrams]
        for connection in (ended := [each for each in of_worker if each.read and not each.outlives_reader]):
            self.forget(connection.id)
        return len(of_worker) - len(ended), len(ended)

    def stop(self) -> None:
        """Accept the clients that are waiting, since they may have sent something, and then stop accepting.

        Unless systemd keeps the listening sockets for the next start, they are closed at once: what a client sends
        while it waits to be accepted would be lost.
        """
        for key, sock in list(self._listening_sockets.items()):
            self._accept_waiting(key, sock)
            if self._notifier.present:
                self._unwatch(sock)
            else:
                suspend(sock)
                self._close_listener(key)
        self._listeners = {}

    def close(self) -> None:
        """Close our duplicates of everything, in a child: the sockets stay open in the supervisor."""
        for sock in [*self._listening_sockets.values(), *(connection.sock for connection in self.connections.values())]:
            sock.close()
        self._manifest.close()

    def for_exec(self) -> str:
        """Return the value of UPGRADE_VARIABLE for a program that is executed in our place.

        Raises:
            OSError: There is no memory or no descriptor left.
        """
        pairs = [(connection.name, connection.sock.fileno()) for connection in self.connections.values()]
        pairs += [(Listener(*key, "", 0).name, sock.fileno()) for key, sock in self._listening_sockets.items()]
        pairs += [(self._manifest.name, self._manifest.fileno())] if self.connections else []
        file = memory_file(" ".join(f"{name}={fd}" for name, fd in pairs).encode())
        for fd in (file, *(fd for _, fd in pairs)):
            os.set_inheritable(fd, True)
        return str(file)


def _key(listener: Listener) -> _Key:
    return listener.pipeline, listener.input
