"""The authentication middleware: every request is checked before its handler runs; people sign in and out here.

Checked in this order: the Host, where no password protects the pages (against DNS rebinding: a page of another site
that lets its name resolve to our address); the site that a request comes from (Fetch Metadata,
https://www.w3.org/TR/fetch-metadata/); the session or token; and for requests that change something, the CSRF token of
the session.

A right password or token is always accepted, whoever else sends from the same address: people and programs that use
one proxy share it. Wrong ones are counted for each address; after some of them, each further one gets status 429 after
a pause, whatever the path, so a connection is good for one guess a second.
"""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

from aiohttp import web
from aiohttp.typedefs import Middleware

from ingestd.geoip.address import forwarded
from ingestd.logs import get_logger
from ingestd.web.auth import login_page
from ingestd.web.auth.access import Access
from ingestd.web.auth.rate_limiter import AttemptLimiter
from ingestd.web.auth.session_file import SessionFile
from ingestd.web.auth.sessions import IDLE_SECONDS, Sessions
from ingestd.web.responses import Handler, json_error, json_response

log = get_logger(__name__)

COOKIE = "ingestd_session"
CSRF_HEADER = "X-CSRF-Token"

_FORM = "application/x-www-form-urlencoded"
_TOO_MANY_REQUESTS = 429
_PAUSE_SECONDS = 1.0

_SAFE_METHODS = {"GET", "HEAD"}
_PROBES = ("/health/live", "/health/ready")
_PUBLIC = ("", "/login", "/api/session")
_METRICS = ("/metrics", "/health")
_FOR_PROGRAMS = ("/reload",)
"""Programs may POST here with the token, or from this machine, without a CSRF token; pages do not."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who sent a request. ``csrf``: what a request that changes something must carry; None: a program, nothing."""

    authenticated: bool
    csrf: str | None = None


class Authentication:
    """Lets requests pass or rejects them; keeps the sessions.

    Args:
        access: Who may see what.
        prefix: What all paths start with.
        folder: The data folder, where the sessions are kept over restarts; None: they end with the process.
        clock: Seconds of a monotonic clock.
    """

    def __init__(
        self,
        access: Access,
        prefix: str = "",
        folder: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._access, self._prefix, self._clock = access, prefix, clock
        self._file = SessionFile(folder) if folder is not None else None
        self._sessions = self._file.load(access, clock()) if self._file is not None else Sessions()
        self._login_limiter = AttemptLimiter()
        self._token_limiter = AttemptLimiter(burst=20)  # apart: a program with an old token locks nobody out
        self._csrf = secrets.token_urlsafe(32)  # shared by all clients where nobody signs in

    def update(self, access: Access) -> None:
        """Change who may see what; another password or token ends all sessions."""
        if (access.password, access.token) != (self._access.password, self._access.token):
            self._sessions = Sessions()
            self._sessions.changed = True  # those in the file have ended
        self._access = access

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of signing in and out."""
        return [
            web.get(self._prefix + "/login", self._show_login),
            web.post(self._prefix + "/login", self._sign_in),
            web.post(self._prefix + "/logout", self._sign_out),
            web.get(self._prefix + "/api/session", self._show_session),
        ]

    def identify(self, request: web.Request) -> Identity:
        """Return who sent a request; called again, it says whether the session is still valid."""
        if not self._access.login_required:
            return Identity(True, self._csrf)
        if (token := _token(request)) is not None:
            return Identity(self._check_token(request, token))
        session = self._sessions.get(request.cookies.get(COOKIE, ""), self._clock())
        return Identity(False) if session is None else Identity(True, session.csrf)

    def who(self, request: web.Request) -> tuple[str, str]:
        """Return how the sender of a request that passed is known, see `Action.by`, and its address."""
        by = "page" if not self._access.login_required else "session" if _token(request) is None else "token"
        return by, self._client_address(request)

    def middleware(self) -> Middleware:
        """Return the middleware."""

        @web.middleware
        async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
            response: web.StreamResponse | None = self._reject(request)
            if response is None:  # not "or": the responses of an older aiohttp are false
                response = await handler(request)
            if self._file is not None and self._file.is_due(self._sessions, self._clock()):
                await self._save_sessions()
            if response.status == _TOO_MANY_REQUESTS:
                await asyncio.sleep(_PAUSE_SECONDS)
            return response

        return check

    def _reject(self, request: web.Request) -> web.Response | None:
        """Return the response that rejects a request; None: it may pass."""
        path = request.path.removeprefix(self._prefix) if request.path != "/" or not self._prefix else ""
        if path in _PROBES or (path in _METRICS and self._access.open_metrics):
            return None
        if not self._access.login_required and not _is_own_host(request.host, self._access.hosts):
            return json_error(403, f"this is not {request.host[:100]!r}; the setting http_hosts allows names")
        if _is_cross_site(request, path):
            return json_error(403, "a page of another site sent this")
        is_public = path in _PUBLIC or path.startswith("/static/")
        if is_public and _token(request) is None:
            return None
        identity = self.identify(request)
        if not identity.authenticated:
            return self._ask_to_sign_in(request, path)
        return None if is_public or request.method in _SAFE_METHODS else self._check_csrf(request, path, identity)

    def _check_csrf(self, request: web.Request, path: str, identity: Identity) -> web.Response | None:
        """Reject a change that a page of another site may have made the browser send."""
        if identity.csrf is None:
            return None
        if not self._access.login_required and path in _FOR_PROGRAMS:
            return json_error(403, "not for browsers") if "Origin" in request.headers else None
        given = request.headers.get(CSRF_HEADER, "")
        if secrets.compare_digest(given.encode("utf-8", "surrogateescape"), identity.csrf.encode()):
            return None
        return json_error(403, f"the header {CSRF_HEADER} is missing or out of date; reload the page")

    def _ask_to_sign_in(self, request: web.Request, path: str) -> web.Response:
        if _token(request) is not None and (
            wait := self._token_limiter.wait(self._client_address(request), self._clock())
        ):
            response = json_error(_TOO_MANY_REQUESTS, "the token is wrong, and so were too many before it")
            response.headers["Retry-After"] = str(int(wait) + 1)
            return response
        if path == "/" and request.method == "GET":
            following = f"?{request.rel_url.raw_query_string}" if request.query_string else ""
            target = "login" + (f"?{urlencode({'next': following}, errors='surrogateescape')}" if following else "")
            return web.Response(status=303, headers={"Location": target})
        response = json_error(401, "sign in, or send the token: Authorization: Bearer TOKEN")
        response.headers["WWW-Authenticate"] = "Bearer"
        return response

    # Signing in and out

    async def _show_login(self, request: web.Request) -> web.Response:
        if self.identify(request).authenticated:
            return web.Response(status=303, headers={"Location": "./"})
        return _login_page(request, request.query.get("next", ""))

    async def _sign_in(self, request: web.Request) -> web.Response:
        form = await _read_form(request)
        if form is None:
            return json_error(400, f"send the form as {_FORM}, with the field password")
        password, following = form.get("password", ""), login_page.safe_next(form.get("next", ""))
        client, now = self._client_address(request), self._clock()
        if not self._access.accepts_login(password):
            if wait := self._login_limiter.wait(client, now):
                return _login_page(request, following, "wait", int(wait) + 1)
            self._login_limiter.failed(client, now)
            log.warning("failed login at the dashboard", client=client)
            return _login_page(request, following, "wrong")
        cookie = self._sessions.start(now)
        await self._save_sessions()
        response = web.Response(status=303, headers={"Location": "./" + following})
        response.set_cookie(
            COOKIE,
            cookie,
            max_age=int(IDLE_SECONDS),
            path=self._prefix + "/",
            httponly=True,
            samesite="Lax",
            secure=self._is_https(request),
        )
        return response

    async def _sign_out(self, request: web.Request) -> web.Response:
        self._sessions.end(request.cookies.get(COOKIE, ""))
        await self._save_sessions()
        response = web.Response(status=204)
        response.del_cookie(COOKIE, path=self._prefix + "/")
        return response

    async def _save_sessions(self) -> None:
        if self._file is not None:
            await self._file.save(self._sessions, self._access, self._clock())

    async def _show_session(self, request: web.Request) -> web.Response:
        identity, required = self.identify(request), self._access.login_required
        return json_response({"user": identity.authenticated, "csrf": identity.csrf, "password_required": required})

    def _check_token(self, request: web.Request, token: str) -> bool:
        if self._access.accepts_token(token):
            return True
        client, now = self._client_address(request), self._clock()
        if not self._token_limiter.wait(client, now):
            self._token_limiter.failed(client, now)
            log.warning("a request with a wrong token", client=client)
        return False

    # Headers of a proxy

    def _client_address(self, request: web.Request) -> str:
        """Return the address, without a port that some proxies add."""
        return next(forwarded(self._from_proxy(request, "X-Forwarded-For"), 1), None) or request.remote or ""

    def _is_https(self, request: web.Request) -> bool:
        return (self._from_proxy(request, "X-Forwarded-Proto") or request.scheme).lower() == "https"

    def _from_proxy(self, request: web.Request, name: str) -> str:
        """Return what our own proxy added, which comes last: anyone may have sent what is before it.

        HAProxy adds a header instead of a part of the one that it got. Empty if there is none, or no proxy is trusted.
        """
        headers = request.headers.getall(name, []) if self._access.trust_proxy else []
        return headers[-1].rpartition(",")[2].strip() if headers else ""


async def _read_form(request: web.Request) -> dict[str, str] | None:
    """Return the fields of a form as browsers send it, in UTF-8; None if it is sent in another way."""
    if request.headers.get("Content-Type", _FORM).partition(";")[0].strip().lower() != _FORM:
        return None
    return dict(parse_qsl((await request.read()).decode("utf-8", "replace"), keep_blank_values=True))


def _token(request: web.Request) -> str | None:
    """Return the token that a request carries, None if it carries none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _login_page(request: web.Request, following: str, problem: str = "", seconds: int = 0) -> web.Response:
    text = login_page.render(request.headers.get("Accept-Language", ""), following, problem, seconds)
    response = web.Response(text=text, content_type="text/html", status={"": 200, "wrong": 403, "wait": 429}[problem])
    if seconds:
        response.headers["Retry-After"] = str(seconds)
    return response


def _is_own_host(host: str, allowed: frozenset[str]) -> bool:
    """Return whether a Host header is an IP address, which no name server can forge, or an allowed name."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    name = name.strip("[]").lower()
    if name == "localhost" or name in allowed:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_cross_site(request: web.Request, path: str) -> bool:
    """Return whether another site made the browser read data or change something; links to the pages are fine."""
    site = request.headers.get("Sec-Fetch-Site", "none")
    is_data = request.method not in _SAFE_METHODS or path.startswith("/api/")
    return is_data and site not in {"none", "same-origin"}
