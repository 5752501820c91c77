"""``make bench``: what the daemon costs, from TCP through the default pipeline into a sink that speaks ``_bulk``.

Prints CPU seconds per million events (user and system, of the daemon and its children), events per second,
the highest memory, and a split by stage. Counts, ids and a sample of the documents are checked first: a wrong
result has no speed. Seconds on a shared machine vary by half from one minute to the next; the ratio to the yardstick,
a loop that is measured meanwhile, varies less.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench import stages, yardstick
from tests.bench.events import expected, make_lines
from tests.bench.sink import SinkProcess
from tests.bench.yardstick import YardstickProcess

_TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Run the benchmark."""
    arguments = argparse.ArgumentParser(prog="make bench", description=__doc__)
    arguments.add_argument("--events", type=int, default=1_000_000)
    arguments.add_argument("--connections", type=int, default=4)
    arguments.add_argument("--runs", type=int, default=1)
    options = arguments.parse_args()
    distinct = make_lines(min(options.events, 100_000))
    size = sum(map(len, distinct)) // len(distinct)
    print(f"{options.events} events of {size} bytes, {options.connections} connections")
    for _ in range(options.runs):
        cpu, yard, rate, memory = _run(distinct, options.events, options.connections)
        print(
            f"{cpu:8.2f} CPU s per million events   yardstick {yard:5.2f} us   ratio {cpu / yard:5.2f}   "
            f"{rate:10,.0f} events/s   {memory / 1024:4.0f} MB peak RSS"
        )
    print("\nCPU us per event by stage (in one process, without sockets)")
    for stage, cost in stages.measure(distinct):
        print(f"  {stage:12}{cost:6.2f}")


def _run(distinct: list[bytes], count: int, connections: int) -> tuple[float, float, float, int]:
    """Return CPU seconds per million events, the yardstick in us, events per second, the highest memory in kB."""
    with tempfile.TemporaryDirectory() as data_dir, SinkProcess() as sink:
        port = _free_port()
        command = [sys.executable, "-m", "ingestd", "run", "--port", str(port), "--http", "off"]
        command += ["--elasticsearch", f"http://127.0.0.1:{sink.port}", "--data-dir", data_dir]
        environ = {name: value for name, value in os.environ.items() if not name.startswith("INGESTD_")}
        daemon = subprocess.Popen(command, env=environ)
        try:
            _wait_for(port)
            _send(distinct[:1000], 1000, port, 1)  # warm up
            _wait_until(sink, 1000)
            with YardstickProcess(distinct[: yardstick.LINES]) as yard:
                cpu, begin = _cpu_seconds(daemon.pid), time.monotonic()
                _send(distinct, count, port, connections)
                _wait_until(sink, count + 1000)
                seconds, cpu = time.monotonic() - begin, _cpu_seconds(daemon.pid) - cpu
                measured = yard.result()
            peak = _peak_rss(daemon.pid)
        finally:
            daemon.terminate()
            code = daemon.wait(60)
        if code:
            sys.exit(f"the daemon ended with exit code {code}")
        total, ids, samples = sink.result()
    _check(distinct, total, ids, samples, count + 1000)
    return cpu / count * 1e6, measured, count / seconds, peak


def _send(lines: list[bytes], count: int, port: int, connections: int) -> None:
    """Send ``count`` records, dealt out over the connections, each from a process of its own."""
    share = [count // connections + (number < count % connections) for number in range(connections)]
    senders = [multiprocessing.Process(target=_sender, args=(lines, size, port)) for size in share]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
        if sender.exitcode:
            sys.exit("a sender failed")


def _sender(lines: list[bytes], count: int, port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        while count:
            some = lines[:count]
            for begin in range(0, len(some), 500):
                connection.sendall(b"".join(some[begin : begin + 500]))
            count -= len(some)


def _check(lines: list[bytes], total: int, ids: int, samples: list[tuple[str, bytes]], count: int) -> None:
    if total != count or ids != count:
        sys.exit(f"wrong: {count} events were sent, {total} came with {ids} different ids")
    by_record = {json.dumps(json.loads(line), sort_keys=True): line for line in lines}
    added = {"method", "request_path", "search_word", "bytes", "client_ip", "visit"}
    for index, document in samples:
        found = json.loads(document)
        record = json.dumps({key: value for key, value in found.items() if key not in added}, sort_keys=True)
        line = by_record.get(record)
        if line is None or found != expected(line):
            sys.exit(f"wrong document: {document.decode()}")
        if index != "logstash-" + found["@timestamp"][:10].replace("-", "."):
            sys.exit(f"wrong index {index}: {document.decode()}")


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                sys.exit("the daemon does not listen")
            time.sleep(0.05)


def _wait_until(sink: SinkProcess, count: int) -> None:
    deadline = time.monotonic() + 600
    while sink.count() < count:
        if time.monotonic() > deadline:
            sys.exit(f"wrong: only {sink.count()} of {count} events came")
        time.sleep(0.02)


def _cpu_seconds(pid: int) -> float:
    """Return user and system time of a process, all its living descendants and its dead children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = sum(map(int, fields[11:15])) / _TICKS
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return own + sum(_cpu_seconds(int(child)) for child in children)


def _peak_rss(pid: int) -> int:
    """Return the highest memory of the process in kB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
