"""What alerts are sent to: an HTTP server, an SMTP server with TLS and logins, and a program."""

from __future__ import annotations

import json
import ssl
import sys
from contextlib import ExitStack
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.e2e.daemon import free_port
from tests.e2e.http_server import HttpServer
from tests.plugins.inputs.authority import Authority

USER, PASSWORD = "ingestd", "secret-of-smtp"

_PROGRAM = """
import pathlib, sys
with pathlib.Path(sys.argv[1]).open("ab") as file:
    file.write(sys.stdin.buffer.read())
"""


class Receivers:
    """All of them, from the start of the ``with`` block to its end.

    ``requests`` are those of the HTTP server: path, headers and body. ``mails`` are e-mails as they came.
    """

    def __init__(self, folder: Path, authority: Authority) -> None:
        self._folder, self._authority = folder, authority
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.mails: list[Any] = []
        self.logins: list[tuple[str, str]] = []
        self.status = 200
        """What the HTTP server answers."""
        self.refused: set[str] = set()
        """Recipients that the SMTP servers refuse."""
        self.refusal = "550 no such user"
        """What they answer."""
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._http = self._stack.enter_context(HttpServer(self._handler()))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self._authority.files("server"))
        self._smtp = Controller(
            self,
            "127.0.0.1",
            free_port(),
            tls_context=context,
            require_starttls=True,
            auth_required=True,
            authenticator=self._authenticate,
        )
        self._smtps = Controller(self, "127.0.0.1", free_port(), ssl_context=context)  # TLS from the start
        for server in (self._smtp, self._smtps):
            server.start()
            self._stack.callback(server.stop)
        return self

    @property
    def url(self) -> str:
        """The address of the HTTP server."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def smtp_port(self) -> int:
        """The port of the SMTP server with STARTTLS and logins."""
        return int(self._smtp.port)

    @property
    def smtps_port(self) -> int:
        """The port of the SMTP server with TLS from the start and without logins."""
        return int(self._smtps.port)

    def __exit__(self, *raised: object) -> None:
        self._stack.close()

    def settings(self) -> str:
        """Return the channels, as in ``ingestd.toml``."""
        (self._folder / "program.py").write_text(_PROGRAM)
        program = json.dumps([sys.executable, str(self._folder / "program.py"), str(self._file)])
        return f"""
[alerts.channels.hook]
url = "{self.url}/hook"
headers = {{ Authorization = "Bearer token" }}
secret = "secret-of-hook"
[alerts.channels.chat]
type = "slack"
url = "{self.url}/chat"
[alerts.channels.mail]
type = "email"
host = "127.0.0.1"
port = {self.smtp_port}
user = "{USER}"
sender = "ingestd@example.org"
recipients = ["ops@example.org", "web@example.org"]
ca_file = "{self._authority.folder / "ca.crt"}"
[alerts.channels.program]
type = "command"
command = {program}
"""

    def posted(self, path: str) -> list[dict[str, Any]]:
        """Return the bodies that came to a path."""
        return [json.loads(body) for found, _, body in self.requests if found == path]

    def ran(self) -> list[dict[str, Any]]:
        """Return what the program got on stdin."""
        return [json.loads(line) for line in self._file.read_text().splitlines()] if self._file.exists() else []

    def states(self) -> dict[str, list[str]]:
        """Return the states that each of the four was notified of, in order."""
        return {
            "hook": [body["state"] for body in self.posted("/hook")],
            "chat": [body["text"].split("]")[0].strip("[").lower() for body in self.posted("/chat")],
            "mail": [mail["Subject"].split("]")[0].strip("[").lower() for mail in self.mails],
            "program": [body["state"] for body in self.ran()],
        }

    @property
    def _file(self) -> Path:
        return self._folder / "ran.ndjson"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receivers = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if receivers.status == 200:
                    receivers.requests.append((self.path, dict(self.headers), body))
                answer = f"status {receivers.status} <of the test>".encode()
                self.send_response(receivers.status)
                self.send_header("Content-Length", str(len(answer)))
                self.send_header("Location", f"{receivers.url}/elsewhere")
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler

    def _authenticate(self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=self.logins[-1] == (USER, PASSWORD), handled=False)

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take a recipient, or refuse it."""
        if address in self.refused:
            return self.refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Take an e-mail."""
        assert envelope.content is not None
        content = envelope.content
        self.mails.append(
            message_from_bytes(content if isinstance(content, bytes) else content.encode(), policy=default)
        )
        self.mails[-1]["X-Recipients"] = ", ".join(envelope.rcpt_tos)
        return "250 OK"
