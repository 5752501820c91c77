"""``GET api/views``, ``POST api/views`` and ``POST api/views/delete``: views of the dashboard, by name.

A view is the state of the page as its address has it after ``#``. All who may see the dashboard share them. Some are
built in, the others are kept in ``views.json`` of the data folder. Who may change them is checked by the authentication
middleware, as for every POST.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from pathlib import Path

import msgspec
from aiohttp import web

from ingestd.documents import Document
from ingestd.web.responses import Handler, decoded, json_error, json_response

MAX_VIEWS = 200
MAX_NAME = 80
MAX_STATE = 8000
"""Characters of an address after ``#``."""


class View(msgspec.Struct, forbid_unknown_fields=True):
    """A name and the state of the page; one without ``range`` or ``from`` is opened at the time that the page shows."""

    name: str
    state: str = ""


class BuiltIn(View):
    """A view that is always there; ``built_in`` is what the page calls it by, in its languages."""

    built_in: str = ""


BUILT_IN = (
    BuiltIn("Top searches, 30 days", "tab=words&range=30d", "words"),
    BuiltIn("Warnings with stack traces", "level=WARNING&traces=1", "problems"),
    BuiltIn("Server errors (5xx)", "q=status_code%3A%5B500+TO+599%5D", "server"),
    BuiltIn("Where visitors come from", "tab=visitors", "visitors"),
)


class Views(msgspec.Struct):
    """The saved views in the order in which they were made."""

    views: list[View] = []


class ViewError(ValueError):
    """A view cannot be saved; the text is one sentence that says why."""


def views_document(data_dir: Path) -> Document[Views]:
    """Return the document of the views of a data folder."""
    return Document(data_dir / "views.json", Views)


def save(content: Views, view: View) -> None:
    """Add a view, or replace the one of its name. Raises ViewError."""
    name = view.name.strip()
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        raise ViewError(f"the name of a view has 1 to {MAX_NAME} characters, and no control characters")
    if len(view.state) > MAX_STATE:
        raise ViewError(f"the view has {len(view.state):,} characters, and at most {MAX_STATE:,} are allowed")
    _refuse_built_in(name, "replaced; choose another name")
    for known in content.views:
        if known.name == name:
            known.state = view.state
            return
    if len(content.views) >= MAX_VIEWS:
        raise ViewError(f"there are {MAX_VIEWS} views, and no more can be saved; delete some")
    content.views.append(View(name, view.state))


def delete(content: Views, view: View) -> None:
    """Delete a view; nothing happens if there is none of this name. Raises ViewError."""
    if all(known.name != view.name for known in content.views):  # an older version may have saved one of this name
        _refuse_built_in(view.name, "deleted")
    content.views[:] = [known for known in content.views if known.name != view.name]


def _refuse_built_in(name: str, what: str) -> None:
    if any(view.name == name for view in BUILT_IN):
        raise ViewError(f"the view {name!r} is built in, and cannot be {what}")


def _answer(content: Views) -> web.Response:
    """Return all views: those that are built in, then the saved ones."""
    return json_response({"views": msgspec.to_builtins([*BUILT_IN, *content.views])})


def view_routes(data_dir: Path, prefix: str = "") -> list[web.RouteDef]:
    """Return the routes; the views are kept in ``data_dir``, all paths start with ``prefix``."""
    document = views_document(data_dir)

    async def show(_: web.Request) -> web.StreamResponse:
        try:
            return _answer(await asyncio.to_thread(document.load))
        except OSError as error:
            return json_error(503, f"the views cannot be read: {error.strerror or error}")

    return [
        web.get(f"{prefix}/api/views", show),
        web.post(f"{prefix}/api/views", _change_handler(document, save)),
        web.post(f"{prefix}/api/views/delete", _change_handler(document, delete)),
    ]


def _change_handler(document: Document[Views], change: Callable[[Views, View], None]) -> Handler:
    def apply(view: View) -> Views:
        with document.update() as content:
            change(content, view)
        return content

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            view = decoded(await request.read(), View)
            return _answer(await asyncio.to_thread(apply, view))
        except msgspec.MsgspecError as error:
            return json_error(400, f"the body is not valid: {error}")
        except ViewError as error:
            return json_error(400, str(error))
        except OSError as error:
            if error.errno == errno.EFBIG:
                return json_error(400, "all views together are too large; delete some")
            return json_error(503, f"the view cannot be saved: {error.strerror or error}")

    return handle
