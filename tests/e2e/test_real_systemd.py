"""packaging/ingestd.service under a real systemd: no restart, kill, hang, mistake or upgrade loses an event."""

from __future__ import annotations

import itertools
import json
import resource
import socket
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.e2e.daemon import free_port
from tests.e2e.machine import Machine, root_folder
from tests.random_cases import LONG
from tests.threads import Background
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("service")

CONNECTIONS = 5000 if LONG else 1000
RESTARTS = 5 if LONG else 2
TOKEN = "a-long-token"
IMPORTED = "imported by root"


class Service:
    """ingestd in a machine: its ports, and how it is asked and restarted."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.port, self.http_port = free_port(), free_port()

    def configure(self, host: str = "127.0.0.1", extra: str = "") -> None:
        """Write ingestd.toml."""
        text = f'host = "{host}"\nport = {self.port}\nhttp = "0.0.0.0:{self.http_port}"\nworkers = 2\n{extra}'
        self.machine.write("/etc/ingestd/ingestd.toml", text)

    def get(self, path: str, token: str) -> str:
        """Return a page of its HTTP server."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.http_port}{path}")
        request.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return str(answer.read().decode())

    def main_pid(self) -> int:
        return int(self.machine.property("MainPID"))

    def children(self) -> list[int]:
        """Return its processes, the workers first."""
        return [int(number) for number in self.machine.sh(f"cat /proc/{self.main_pid()}/task/*/children").split()]

    def restarts(self) -> int:
        """Return how often systemd has restarted it since it was last started by hand."""
        return int(self.machine.property("NRestarts"))

    def wait_until_running(self) -> None:
        wait_until(lambda: self.machine.property("SubState") == "running", "the service to run")

    def wait_for_restart(self, cause: Callable[[], object]) -> None:
        """Do what makes systemd restart it, and wait until it runs again."""
        before = self.restarts()
        cause()
        wait_until(lambda: self.restarts() > before, "systemd to restart the service")
        self.wait_until_running()


class Clients:
    """Connections that stay open, with numbered events on them."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._sockets: list[socket.socket] = []
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self.sent: Counter[str] = Counter()

    def connect(self, count: int) -> None:
        self._sockets += [socket.create_connection(("127.0.0.1", self._port)) for _ in range(count)]

    def send_to_all(self, name: str) -> None:
        """Send an event on each connection."""
        for number, client in enumerate(self._sockets):
            self._send(client, f"{name} {number}", 0)

    def sending(self) -> Background:
        """Send all the time, on each connection in turn, until the end of the block."""

        def work() -> None:
            for number, client in enumerate(itertools.cycle(self._sockets)):
                if self._stopping.is_set():
                    return
                self._send(client, f"meanwhile {number}", 0.001)

        return Background(work, self._stopping.set)

    def _send(self, client: socket.socket, message: str, pause: float) -> None:
        """Send an event in two halves, between which the daemon may be restarted."""
        line = json.dumps({"message": message}).encode() + b"\n"
        with self._lock:
            client.sendall(line[:10])
            time.sleep(pause)
            client.sendall(line[10:])
            self.sent[message] += 1

    def close(self) -> None:
        for client in self._sockets:
            client.close()


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with Machine(root_folder(), tmp_path_factory.mktemp("machine")) as started:
        yield started


@pytest.fixture(scope="module")
def service(machine: Machine) -> Service:
    """The service, set up as docs/production.md says, with a quicker watchdog."""
    made = Service(machine)
    made.configure()
    machine.write("/etc/ingestd/token", TOKEN)
    machine.sh("chmod 600 /etc/ingestd/token")
    drop_in = "[Service]\nLoadCredential=http_token:/etc/ingestd/token\nWatchdogSec=8s\n"
    machine.write("/etc/systemd/system/ingestd.service.d/test.conf", drop_in)
    machine.sh("systemctl daemon-reload && systemctl enable --now ingestd")
    return made


@pytest.fixture
def clients(service: Service) -> Iterator[Clients]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    made = Clients(service.port)
    yield made
    made.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def stored(machine: Machine) -> Counter[str]:
    """Return how often each message of clients is in the store."""
    lines = machine.sh("ingestd export --fields message --format ndjson").splitlines()
    return Counter(text for line in lines if (text := json.loads(line)["message"]) != IMPORTED)


def as_daemon(service: Service) -> str:
    """Return what precedes a command that is to have the daemon's rights and see the files that it sees."""
    rights = "setpriv --reuid ingestd --regid ingestd --clear-groups"
    return f"nsenter --target {service.main_pid()} --mount -- {rights}"


def test_no_event_is_lost_or_stored_twice(machine: Machine, service: Service, clients: Clients) -> None:
    clients.connect(CONNECTIONS)
    clients.send_to_all("first")
    with clients.sending():
        for _ in range(RESTARTS):
            machine.sh("systemctl restart ingestd")
        # A kill between accepting a connection and storing it would cut that.
        wait_until(lambda: sum(stored(machine).values()) >= CONNECTIONS, "all connections to be known")
        service.wait_for_restart(lambda: machine.sh("systemctl kill --signal KILL --kill-whom main ingestd"))
        service.wait_for_restart(lambda: machine.sh("systemctl kill --signal KILL --kill-whom all ingestd"))
        machine.sh(f"kill -KILL {service.children()[0]}")
        wait_until(lambda: "a worker ended and is being restarted" in machine.journal(), "the supervisor to notice")
        service.wait_for_restart(lambda: machine.sh(f"kill -STOP {service.main_pid()}"))  # the watchdog kills it
        assert "Watchdog timeout" in machine.journal()

        service.configure(extra="workers = 3\n")  # the key stands twice
        machine.try_sh("systemctl restart ingestd")
        wait_until(lambda: service.restarts() > 6, "systemd to try again")  # by default it gives up after 5
        service.configure(host="0.0.0.0")  # mended, with an address that overlaps with the one before
        service.wait_until_running()
        assert f"host=0.0.0.0 port={service.port}" in machine.journal()

        before = service.main_pid()
        machine.sh("ingestd upgrade")  # after restarts, whose variables are stale by then; returns when it is done
        clients.send_to_all("last")
    total = sum(clients.sent.values())
    wait_until(lambda: sum(stored(machine).values()) >= total, "all events to be stored")
    assert stored(machine) == clients.sent
    assert service.main_pid() == before
    assert f"connections={CONNECTIONS}" in machine.journal("--lines", "100", "--grep", "'connections were taken over'")
    machine.sh("ingestd audit")


def test_journal_has_priorities(machine: Machine, service: Service) -> None:
    service.configure(extra="workers = 3\n")  # the key stands twice
    machine.try_sh("systemctl restart ingestd")
    service.configure()
    service.wait_until_running()
    machine.sh(f"kill -KILL {service.children()[0]}")
    wait_until(lambda: "a worker ended and is being restarted" in machine.journal(), "the supervisor to notice")
    errors = machine.journal("--priority", "err")
    assert "/etc/ingestd/ingestd.toml:5:12: error: " in errors
    assert "a worker ended and is being restarted" in errors
    assert "INFO" not in errors
    assert "<3>" not in machine.journal()
    assert "listening for events" in machine.journal("--priority", "info")


def test_refused_reload_is_a_failure(machine: Machine, service: Service) -> None:
    config = f"input {{ tcp {{ port => {free_port()} codec => json_lines }} }} output {{ stdout {{ }} }}"
    machine.write("/etc/ingestd/my.conf", config)
    machine.write("/etc/ingestd/ingestd.env", "ARGS=-f /etc/ingestd/my.conf")
    machine.sh("systemctl restart ingestd")
    before = service.main_pid()
    machine.sh("systemctl reload ingestd")
    machine.write("/etc/ingestd/my.conf", config.replace("json_lines", "jason_lines"))
    assert machine.try_sh("systemctl reload ingestd").returncode == 1
    assert "jason_lines" in machine.journal("--priority", "err")
    assert service.main_pid() == before
    machine.sh("rm /etc/ingestd/ingestd.env && systemctl restart ingestd")


def test_started_when_the_dashboard_listens(machine: Machine, service: Service) -> None:
    """With a token that is a credential of systemd, a file that only root can read: without it, there is no start."""
    machine.sh("systemctl restart ingestd")
    assert "ingestd_open_connections" in service.get("/metrics", TOKEN)
    with pytest.raises(urllib.error.HTTPError, match="401"):
        service.get("/metrics", "wrong")
    assert "2 workers" in machine.property("StatusText")


def test_commands_of_root_leave_no_files_of_root(machine: Machine) -> None:
    machine.write("/tmp/events.ndjson", json.dumps({"message": IMPORTED}) + "\n")
    machine.sh("chmod a+r /tmp/events.ndjson && ingestd import /tmp/events.ndjson")
    machine.sh("ingestd repository add nightly --type fs --location /var/lib/ingestd/backup")
    machine.sh("ingestd backup today && ingestd prune --dry-run && ingestd deadletters list && ingestd search")
    machine.sh("ingestd repository remove nightly")
    assert machine.sh("find /var/lib/ingestd ! -user ingestd") == ""


def test_command_as_the_user_of_the_service(machine: Machine) -> None:
    """As sudo -u does it, in a folder that is closed to that user."""
    machine.sh("cd /root && chmod 700 . && setpriv --reuid ingestd --regid ingestd --clear-groups ingestd search")


def test_command_of_another_user_says_how_to_run_it(machine: Machine) -> None:
    done = machine.try_sh("setpriv --reuid nobody --regid nogroup --clear-groups ingestd search")
    assert done.returncode == 1
    command = "sudo -u ingestd /opt/ingestd/bin/ingestd search"
    assert f"Permission denied; /var/lib/ingestd belongs to ingestd; run: {command}\n" in done.stderr


def test_repository_outside_of_the_state_folder(machine: Machine, service: Service) -> None:
    """Root's command says what the daemon cannot do, not what root could."""
    machine.sh("mkdir /srv/backup")
    add = "ingestd repository add outside --type fs --location /srv/backup"
    done = machine.try_sh(add)
    assert done.returncode == 1
    assert "Permission denied" in done.stderr
    machine.sh("chown ingestd: /srv/backup")
    done = machine.try_sh(f"{as_daemon(service)} {add}")
    assert done.returncode == 1
    assert "ReadWritePaths=/srv/backup" in done.stderr
    machine.sh(f"{add} && ingestd repository remove outside")


def test_the_daemon_can_write_its_data_only(machine: Machine, service: Service) -> None:
    command = as_daemon(service)
    for folder in ("/etc/ingestd", "/opt/ingestd", "/srv/backup"):
        done = machine.try_sh(f"{command} touch {folder}/new")
        assert done.returncode == 1, folder
    machine.sh(f"{command} touch /var/lib/ingestd/new")
    environ = machine.sh(f"tr '\\0' '\\n' < /proc/{service.main_pid()}/environ").splitlines()
    assert "HOME=/var/lib/ingestd" in environ
