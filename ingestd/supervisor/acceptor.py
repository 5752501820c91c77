"""The sockets of the supervisor: it listens, accepts, and keeps a duplicate of every connection until it has ended."""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from ingestd.logs import get_logger
from ingestd.supervisor.notify import Notifier, inherited
from ingestd.supervisor.sockets import Connection, Listener, listen, listener_key, stored_connection, widen

log = get_logger(__name__)

UPGRADE_VARIABLE = "INGESTD_KEEPER_FDS"
"""How descriptors get through ``exec``: ``name=fd`` pairs, separated by blanks."""

_ACCEPTS = 64
"""Connections accepted in a row before the other sockets are served."""

_Key = tuple[str, str]  # pipeline and input


class Acceptor:
    """Holds listening and accepted sockets; new connections go to ``on_accept``.

    Args:
        selector: Where the listening sockets are watched; a ready one's ``data`` is to be called.
        notifier: systemd, which keeps duplicates of all sockets over restarts.
        new_id: Makes ids of connections.
        choose_worker: Says which worker reads a new connection.
        on_accept: Called with each new connection.
    """

    def __init__(
        self,
        selector: selectors.BaseSelector,
        notifier: Notifier,
        new_id: Callable[[], str],
        choose_worker: Callable[[], int],
        on_accept: Callable[[Connection], None],
    ) -> None:
        self._selector, self._notifier = selector, notifier
        self._new_id, self._choose_worker, self._on_accept = new_id, choose_worker, on_accept
        self._listening_sockets: dict[_Key, socket.socket] = {}
        self._listeners: dict[_Key, Listener] = {}
        self.connections: dict[str, Connection] = {}
        self.loads: Counter[int] = Counter()
        """Connections of each worker."""
        self._connection_counts: Counter[_Key] = Counter()  # of each input, for ``max_connections``

    def _add(self, connection: Connection) -> None:
        self.connections[connection.id] = connection
        self.loads[connection.worker] += 1
        self._connection_counts[connection.pipeline, connection.input] += 1

    def adopt(self, environ: Mapping[str, str], listeners: Sequence[Listener]) -> None:
        """Take over the sockets that an earlier supervisor left, through systemd or ``exec``."""
        found = inherited(environ, os.getpid())
        for pair in environ.get(UPGRADE_VARIABLE, "").split():
            name, _, number = pair.rpartition("=")
            os.set_inheritable(int(number), False)
            found.append((name, int(number)))
        for name, fd in found:
            if key := listener_key(name):
                self._listening_sockets[key] = socket.socket(fileno=fd)
            elif connection := stored_connection(name, fd):
                self._add(connection)
            elif len(found) == 1 and len(listeners) == 1:  # a socket unit with a name of its own
                self._listening_sockets[listeners[0].pipeline, listeners[0].input] = socket.socket(fileno=fd)
            else:
                log.warning("a descriptor with an unknown name was passed to us and is closed", name=name)
                os.close(fd)
        for sock in self._listening_sockets.values():
            sock.setblocking(False)
        if self.connections:
            log.info("connections were taken over", connections=len(self.connections))

    def listen(self, listeners: Iterable[Listener]) -> None:
        """Listen on exactly these; a socket that fits is kept, with the clients that are waiting on it.

        Raises:
            OSError: An address cannot be used; then everything is as before.
        """
        wanted = {(listener.pipeline, listener.input): listener for listener in listeners}
        opened: dict[_Key, socket.socket] = {}
        try:
            for key, listener in wanted.items():
                sock = self._listening_sockets.get(key)
                if sock is None or not _listens_on(sock, listener):
                    opened[key] = listen(listener)
        except OSError:
            for sock in opened.values():
                sock.close()
            raise
        for key in [key for key in self._listening_sockets if key not in wanted or key in opened]:
            self._close_listener(key)
        self._listening_sockets |= opened
        self._listeners = wanted
        for key, sock in self._listening_sockets.items():
            host, port = sock.getsockname()[:2]
            if key in opened:
                self._notifier.store(wanted[key].name, sock.fileno())
            self._watch(key)
            log.info("listening for events", pipeline=key[0], input=key[1], host=host, port=port)

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
            if listener.max_connections and self._connection_counts[key] >= listener.max_connections:
                self._unwatch(listening)  # the rest wait in the kernel's queue
                text = "no more connections are accepted"
                log.warning(text, input=listener.input, max_connections=listener.max_connections)
                return
            try:
                sock, address = listening.accept()
            except BlockingIOError:
                return
            except OSError as error:  # out of descriptors, or the client has gone: keep serving the others
                log.warning("a connection could not be accepted", input=listener.input, error=error.strerror)
                time.sleep(0.01)
                return
            try:
                self._take_over(sock, key, address)
            except Exception as error:
                log.exception("a connection is closed: it cannot be set up", input=listener.input, error=repr(error))
                sock.close()

    def _take_over(self, sock: socket.socket, key: _Key, address: tuple[str, int]) -> None:
        sock.setblocking(False)
        widen(sock)
        connection = Connection(self._new_id(), sock, *key, self._choose_worker(), *address[:2])
        self._add(connection)
        try:
            self._notifier.store(connection.name, sock.fileno())
            self._on_accept(connection)
        except BaseException:
            self.forget(connection.id)
            raise

    def forget(self, connection_id: str) -> None:
        """Close our duplicate of a connection that has ended; a listener at its limit may accept again."""
        connection = self.connections.pop(connection_id, None)
        if connection is None:
            return
        self._notifier.forget(connection.name)
        connection.sock.close()
        key = (connection.pipeline, connection.input)
        self.loads[connection.worker] -= 1
        self._connection_counts[key] -= 1
        listening = self._listening_sockets.get(key)
        if listening is not None and key in self._listeners and listening.fileno() not in self._selector.get_map():
            self._watch(key)

    def stop(self) -> None:
        """Accept the clients that are waiting, since they may have sent something, and then stop accepting."""
        for key, listener in self._listeners.items():
            before = -1
            while not listener.max_connections and before != len(self.connections):
                before = len(self.connections)
                self._accept(key)
            self._unwatch(self._listening_sockets[key])
        self._listeners = {}

    def close(self) -> None:
        """Close our duplicates of everything, in a child: the sockets stay open in the supervisor."""
        for sock in [*self._listening_sockets.values(), *(connection.sock for connection in self.connections.values())]:
            sock.close()

    def for_exec(self) -> str:
        """Return the value of UPGRADE_VARIABLE for a program that is executed in our place."""
        pairs = [(connection.name, connection.sock) for connection in self.connections.values()]
        pairs += [(Listener(*key, "", 0).name, sock) for key, sock in self._listening_sockets.items()]
        for _, sock in pairs:
            os.set_inheritable(sock.fileno(), True)
        return " ".join(f"{name}={sock.fileno()}" for name, sock in pairs)


def _listens_on(sock: socket.socket, listener: Listener) -> bool:
    host, port = sock.getsockname()[:2]
    return listener.port in (0, port) and listener.host in (host, "localhost", "")
