"""The guard of every request: where it came from, who sent it, and whether it may pass. And signing in and out.

What is checked, in this order: the Host (a page elsewhere that lets its name point here, DNS rebinding, gets
nothing where no password protects), the site that sent an order (Fetch Metadata,
https://www.w3.org/TR/fetch-metadata/), the session or token, and for orders the CSRF token of the session.
"""

from __future__ import annotations

import ipaddress
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from aiohttp import web
from aiohttp.typedefs import Middleware

from ingestd.event.jsontext import dumps
from ingestd.logs import get_logger
from ingestd.web.auth import login
from ingestd.web.auth.access import Access
from ingestd.web.auth.sessions import IDLE_SECONDS, Brake, Sessions
from ingestd.web.processes.answers import refusal

log = get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

COOKIE = "ingestd_session"
CSRF_HEADER = "X-CSRF-Token"

_PROBES = ("/health/live", "/health/ready")
_OPEN = ("", "/login", "/api/session")
_METRICS = ("/metrics", "/health")
_PROGRAMS = ("/reload",)
"""Orders that programs give: with the token, or from this machine, with no CSRF token and no page."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who sent a request. ``csrf``: what an order must carry; None: a program, which carries none."""

    known: bool
    csrf: str | None = None


class Guard:
    """Lets requests pass or not; keeps the sessions.

    Args:
        access: Who may see what.
        prefix: What all paths begin with.
        clock: Seconds that only rise.
    """

    def __init__(self, access: Access, prefix: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self._access, self._prefix, self._clock = access, prefix, clock
        self._sessions = Sessions()
        self._brake = Brake()
        self._token_brake = Brake(burst=20)  # of its own: a forgotten program locks nobody out of the form
        self._csrf = secrets.token_urlsafe(32)  # of all visitors, where nobody signs in

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of signing in and out."""
        return [
            web.get(self._prefix + "/login", self._show_login),
            web.post(self._prefix + "/login", self._sign_in),
            web.post(self._prefix + "/logout", self._sign_out),
            web.get(self._prefix + "/api/session", self._show_session),
        ]

    def visitor(self, request: web.Request) -> Visitor:
        """Return who sent a request; asked again, it tells whether the session goes on."""
        if not self._access.needed:
            return Visitor(True, self._csrf)
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return Visitor(self._right_token(request, token.strip()))
        session = self._sessions.get(request.cookies.get(COOKIE, ""), self._clock())
        return Visitor(False) if session is None else Visitor(True, session.csrf)

    def middleware(self) -> Middleware:
        """Return the middleware."""

        @web.middleware
        async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
            refused = self._refused(request)
            return refused if refused is not None else await handler(request)

        return check

    def _refused(self, request: web.Request) -> web.Response | None:
        path = request.path.removeprefix(self._prefix)
        if path in _PROBES or (path in _METRICS and self._access.open_metrics):
            return None
        if not self._access.needed and not _names_this_machine(request.host, self._access.hosts):
            return problem(403, f"this is not {request.host[:100]!r}; the setting http_hosts allows names")
        if _from_elsewhere(request, path):
            return problem(403, "a page of another site sent this")
        if path in _OPEN or path.startswith("/static/"):
            return None
        visitor = self.visitor(request)
        if not visitor.known:
            return self._unknown(request, path)
        if request.method not in {"GET", "HEAD"}:
            return self._unproven(request, path, visitor)
        return None

    def _unproven(self, request: web.Request, path: str, visitor: Visitor) -> web.Response | None:
        """Refuse an order that a page elsewhere may have made the browser send."""
        if visitor.csrf is None:
            return None
        if not self._access.needed and path in _PROGRAMS:
            return problem(403, "not for browsers") if "Origin" in request.headers else None
        given = request.headers.get(CSRF_HEADER, "")
        if secrets.compare_digest(given.encode("utf-8", "surrogateescape"), visitor.csrf.encode()):
            return None
        return problem(403, f"the header {CSRF_HEADER} is missing or out of date; load the page again")

    def _unknown(self, request: web.Request, path: str) -> web.Response:
        if path == "/" and request.method == "GET":
            following = f"?{request.rel_url.raw_query_string}" if request.query_string else ""
            target = "login" + (f"?{_quoted(following)}" if following else "")
            return web.Response(status=303, headers={"Location": target})
        answer = problem(401, "sign in, or send the token: Authorization: Bearer TOKEN")
        answer.headers["WWW-Authenticate"] = "Bearer"
        return answer

    # Signing in and out

    async def _show_login(self, request: web.Request) -> web.Response:
        if self.visitor(request).known:
            return web.Response(status=303, headers={"Location": "./"})
        return _page(request, request.query.get("next", ""))

    async def _sign_in(self, request: web.Request) -> web.Response:
        form = await request.post()
        password, following = str(form.get("password", "")), login.safe_next(str(form.get("next", "")))
        sender, now = self._sender(request), self._clock()
        if wait := self._brake.wait(sender, now):
            return _page(request, following, "wait", int(wait) + 1)
        if not self._access.opens(password):
            self._brake.failed(sender, now)
            log.warning("a wrong password at the dashboard", sender=sender)
            return _page(request, following, "wrong")
        answer = web.Response(status=303, headers={"Location": "./" + following})
        answer.set_cookie(
            COOKIE,
            self._sessions.begin(now),
            max_age=int(IDLE_SECONDS),
            path=self._prefix + "/",
            httponly=True,
            samesite="Lax",
            secure=self._encrypted(request),
        )
        return answer

    async def _sign_out(self, request: web.Request) -> web.Response:
        self._sessions.end(request.cookies.get(COOKIE, ""))
        answer = web.Response(status=204)
        answer.del_cookie(COOKIE, path=self._prefix + "/")
        return answer

    async def _show_session(self, request: web.Request) -> web.Response:
        visitor = self.visitor(request)
        shown = {"user": visitor.known, "csrf": visitor.csrf, "password_required": self._access.needed}
        return web.Response(body=dumps(shown), content_type="application/json")

    def _right_token(self, request: web.Request, token: str) -> bool:
        sender, now = self._sender(request), self._clock()
        if self._token_brake.wait(sender, now):
            return False
        if self._access.opens_for_programs(token):
            return True
        self._token_brake.failed(sender, now)
        return False

    # What a proxy tells

    def _sender(self, request: web.Request) -> str:
        told = request.headers.get("X-Forwarded-For", "") if self._access.trust_proxy else ""
        return told.rpartition(",")[2].strip() or request.remote or ""

    def _encrypted(self, request: web.Request) -> bool:
        told = request.headers.get("X-Forwarded-Proto", "") if self._access.trust_proxy else ""
        return (told or request.scheme).lower() == "https"


def problem(status: int, message: str) -> web.Response:
    """Return the answer that says why there is none, as JSON."""
    return web.Response(status=status, body=refusal(status, message).body, content_type="application/json")


def _page(request: web.Request, following: str, wrong: str = "", seconds: int = 0) -> web.Response:
    text = login.page(request.headers.get("Accept-Language", ""), following, wrong, seconds)
    answer = web.Response(text=text, content_type="text/html", status={"": 200, "wrong": 403, "wait": 429}[wrong])
    if seconds:
        answer.headers["Retry-After"] = str(seconds)
    return answer


def _quoted(following: str) -> str:
    return urlencode({"next": following})


def _names_this_machine(host: str, allowed: frozenset[str]) -> bool:
    """Return whether a Host header is an IP address, which no name server can forge, or a name that is allowed."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    name = name.strip("[]").lower()
    if name == "localhost" or name in allowed:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _from_elsewhere(request: web.Request, path: str) -> bool:
    """Return whether another site made the browser ask for data or give an order; it may link to the pages."""
    site = request.headers.get("Sec-Fetch-Site", "none")
    data = request.method not in {"GET", "HEAD"} or path.startswith("/api/")
    return data and site not in {"none", "same-origin"}
