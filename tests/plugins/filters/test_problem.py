"""The filter ``problem``: which errors are the same, and what they are called."""

from __future__ import annotations

import copy
import time
import traceback
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.plugins.filters._message_patterns import message_pattern
from ingestd.plugins.registry import BuildContext
from tests.plugins.filters.random_events import VALUES
from tests.plugins.filters.tables import Case, build, build_in, check

LIBRARY = "/srv/shop/venv/lib/python3.12/site-packages/django/core/handlers/exception.py"
HEADER = "Traceback (most recent call last):\n"


def frame(file: str, line: int = 8, function: str = "checkout", code: str = "    total = a + b\n") -> str:
    return f'  File "{file}", line {line}, in {function}\n{code}'


def trace(*frames: str, error: str = "TypeError: unsupported operand type(s) for +: 'int' and 'NoneType'") -> str:
    return f"{HEADER}{''.join(frames)}{error}\n"


OWN, INNER = frame("/srv/shop/orders/views.py"), frame(LIBRARY, 55, "inner")
ADD = "TypeError in orders.views.checkout: unsupported operand type(s) for +: 'int' and 'NoneType'"

DURING = "\nDuring handling of the above exception, another exception occurred:\n\n"
CAUSE = "\nThe above exception was the direct cause of the following exception:\n\n"
GROUP = f"""  + Exception Group Traceback (most recent call last):
  |   File "{LIBRARY}", line 55, in inner
  |     response = get_response(request)
  |   File "/srv/shop/jobs/run.py", line 3, in main
  |     raise ExceptionGroup("many", errors)
  | ExceptionGroup: many (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/srv/shop/jobs/fetch.py", line 9, in fetch
    |     raise ValueError(7)
    | ValueError: 7
    +---------------- 2 ----------------
    | TypeError: x
    +------------------------------------
"""
NESTED_GROUP = """  + Exception Group Traceback (most recent call last):
  |   File "/srv/shop/jobs/run.py", line 3, in main
  |     raise ExceptionGroup("many", errors)
  | ExceptionGroup: many (1 sub-exception)
  +-+---------------- 1 ----------------
    | Exception Group Traceback (most recent call last):
    |   File "/srv/shop/jobs/run.py", line 9, in inner
    |     raise ExceptionGroup("inner", errors)
    | ExceptionGroup: inner (1 sub-exception)
    +-+---------------- 1 ----------------
      | KeyError: 'id'
      |\x20
      | During handling of the above exception, another exception occurred:
      |\x20
      | Traceback (most recent call last):
      |   File "/srv/shop/jobs/fetch.py", line 9, in fetch
      |     raise ValueError(7)
      | ValueError: 7
      +------------------------------------
"""
REMOTE = f'''multiprocessing.pool.RemoteTraceback:
"""
{HEADER}  File "/srv/shop/jobs/other.py", line 1, in f
    1 / 0
ZeroDivisionError: division by zero
"""

The above exception was the direct cause of the following exception:

{trace(frame("/srv/shop/jobs/run.py", 3, "main"), error="ZeroDivisionError: division by zero")}'''
SYNTAX = f"""{HEADER}  File "{LIBRARY}", line 5, in load
    import_module(name)
  File "/srv/shop/orders/urls.py", line 12
    path("", views.index
        ^
SyntaxError: '(' was never closed
"""
CARETS = f"""{HEADER}  File "{LIBRARY}", line 55, in inner
    response = get_response(request)
               ^^^^^^^^^^^^^^^^^^^^^
  File "/srv/shop/orders/views.py", line 8, in checkout
    total = a + b
            ~~^~~
TypeError: unsupported operand type(s) for +: 'int' and 'NoneType'
"""
JAVA = """java.lang.IllegalStateException: Connection 17 to 10.0.0.5:6379 was closed
\tat com.shop.Orders.checkout(Orders.java:12)
Caused by: java.io.IOException: reset
\tat java.base/java.net.Socket.read(Socket.java:5)
"""
NODE = """TypeError: Cannot read properties of undefined (reading 'price')
    at checkout (/srv/shop/node/orders.js:12:5)
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)
"""
RECURSION = trace(
    frame("/srv/shop/orders/tree.py", 8, "walk"),
    "  [Previous line repeated 975 more times]\n",
    frame("/usr/lib/python3.12/copy.py", 1, "deepcopy"),
    error="RecursionError: maximum recursion depth exceeded",
)

TITLES = [  # id, stack trace, title
    ("own_frame", trace(INNER, OWN), ADD),
    ("library_inside", trace(INNER, OWN, INNER), ADD),
    ("carets", CARETS, ADD),
    ("crlf", trace(INNER, OWN).replace("\n", "\r\n"), ADD),
    ("no_source", trace(frame("/srv/shop/orders/views.py", code="")), ADD),
    ("windows", trace(frame(r"C:\inetpub\shop\orders\views.py")), "TypeError in C:.inetpub.shop.orders.views.checkout"),
    ("windows_library", trace(OWN, frame(r"C:\Python312\Lib\json\decoder.py")), ADD),
    ("frozen", trace(OWN, frame("<frozen importlib._bootstrap>", 1, "_load", "")), ADD),
    ("pipe_in_source", trace(frame("/srv/shop/orders/views.py", code="    | Q(a=1)\n")), ADD),
    ("only_library", trace(INNER), "TypeError in django.core.handlers.exception.inner"),
    ("module", trace(frame("/srv/shop/wsgi.py", 1, "<module>"), error="KeyError: 'A'"), "KeyError in wsgi: 'A'"),
    ("genexpr", trace(OWN, frame("/srv/shop/orders/views.py", 9, "<genexpr>")), ADD),
    ("package", trace(frame("/srv/shop/orders/__init__.py", 1, "f"), error="OSError"), "OSError in orders.f"),
    ("during_handling", trace(INNER, error="KeyError: 1") + DURING + trace(INNER, OWN), ADD),
    ("direct_cause", trace(INNER, error="KeyError: 1") + CAUSE + trace(INNER, OWN), ADD),
    ("group", GROUP, "ValueError in jobs.fetch.fetch: <n>"),
    ("nested_group", NESTED_GROUP, "ValueError in jobs.fetch.fetch: <n>"),
    ("group_before", GROUP + DURING + trace(INNER, OWN), ADD),
    ("group_after", trace(INNER, OWN) + DURING + GROUP, "ValueError in jobs.fetch.fetch: <n>"),
    ("remote", REMOTE, "ZeroDivisionError in jobs.run.main: division by zero"),
    ("syntax_error", SYNTAX, "SyntaxError in orders.urls: '…' was never closed"),
    ("recursion", RECURSION, "RecursionError in orders.tree.walk: maximum recursion depth exceeded"),
    ("qualified_type", trace(OWN, error="redis.exceptions.ConnectionError: x"), "ConnectionError in orders.views"),
    ("no_message", trace(OWN, error="KeyboardInterrupt"), "KeyboardInterrupt in orders.views.checkout"),
    ("message_below", trace(OWN, error="E: \n  several lines"), "E in orders.views.checkout: several lines"),
    ("notes", trace(INNER, OWN) + "a note\n", ADD),
    ("cut_end", HEADER + INNER + OWN, "Error in orders.views.checkout"),
    ("cut_start", (INNER + INNER + OWN)[20:] + "E: x\n", "E in orders.views.checkout: x"),
    ("text_before", "Task failed\n" + trace(INNER, OWN), ADD),
    ("java", JAVA, "IllegalStateException: Connection <n> to <ip> was closed"),
    ("node", NODE, "TypeError: Cannot read properties of undefined (reading 'price')"),
    (
        "go",
        "panic: assignment to entry in nil map\n\ngoroutine 1 [running]:\n",
        "Internal Server Error: /",
    ),
]


def problem_of(settings: dict[str, Any] | None = None, **event: Any) -> tuple[str | None, str | None]:
    """Return the id and the title of a record's problem, None if it has none."""
    found = dict(event)
    done = build("problem", **settings or {})(found)
    assert done is ("problem" in found)
    assert {name: value for name, value in found.items() if name not in ("problem", "problem_title")} == event
    return found.get("problem"), found.get("problem_title")


@pytest.mark.parametrize(("text", "title"), [row[1:] for row in TITLES], ids=[row[0] for row in TITLES])
def test_titles_of_traces(text: str, title: str) -> None:
    found = problem_of(level="ERROR", message="Internal Server Error: /", stack_trace=text)[1]
    assert found is not None
    assert found.startswith(title)


def raised(depth: int) -> None:
    if depth:
        raised(depth - 1)
    try:
        raise KeyError("a")
    except KeyError as error:
        raise ExceptionGroup("several", [ValueError("b"), error]) from error


def test_a_trace_of_this_python() -> None:
    try:
        raised(2)
    except ExceptionGroup as error:
        text = "".join(traceback.format_exception(error))
    name = "tests.plugins.filters.test_problem"
    assert (problem_of(stack_trace=text)[1] or "").partition(":")[0].endswith(f"{name}.raised")
    assert (problem_of(stack_trace=text)[1] or "").startswith("ValueError in ")


SAME = {  # id: two files of the same module
    "releases": (
        "/srv/shop/releases/20261119120000/orders/views.py",
        "/srv/shop/releases/20261120093000/orders/views.py",
    ),
    "current": ("/srv/shop/current/orders/views.py", "/srv/shop/releases/20261120093000/orders/views.py"),
    "hash": ("/srv/shop/3f9c2ab/orders/views.py", "/srv/shop/d00dfee1/orders/views.py"),
    "version": ("/opt/shop/shop-1.2.3/orders/views.py", "/opt/shop/shop-1.10.0/orders/views.py"),
    "blue_green": ("/srv/blue/orders/views.py", "/srv/green/orders/views.py"),
    "container": ("/app/orders/views.py", "/srv/shop/orders/views.py"),
    "home": ("/home/kim/shop/orders/views.py", "/var/www/example.com/orders/views.py"),
    "src": ("/usr/src/app/orders/views.py", "/srv/shop/src/orders/views.py"),
    "deep_release": (
        "/data/sites/a/releases/20261119/orders/views.py",
        "/data/sites/b/releases/20261120/orders/views.py",
    ),
}


@pytest.mark.parametrize(("first", "second"), SAME.values(), ids=SAME.keys())
def test_a_deploy_keeps_the_problem(first: str, second: str) -> None:
    one, other = (problem_of(stack_trace=trace(INNER, frame(file, line))) for file, line in ((first, 8), (second, 93)))
    assert one == other
    assert one[1] == ADD


ECS = {"type": "TypeError", "message": "unsupported operand type(s) for +: 'int' and 'NoneType'"}


@pytest.mark.parametrize("nested", [True, False], ids=["nested", "dotted"])
def test_the_same_error_in_the_elastic_common_schema(nested: bool) -> None:
    """ecs-logging writes the frames without the line of the exception, which is in two other fields."""
    log, error = {"level": "error"}, ECS | {"stack_trace": INNER + OWN}
    dotted = {"log.level": "error"} | {f"error.{name}": value for name, value in error.items()}
    event = {"log": log, "error": error} if nested else dotted
    assert problem_of(**event) == problem_of(level="ERROR", stack_trace=trace(INNER, OWN))


OTHERS = {
    "other_type": trace(INNER, OWN, error="ValueError: 1"),
    "other_function": trace(INNER, frame("/srv/shop/orders/views.py", function="cart")),
    "other_module": trace(INNER, frame("/srv/shop/orders/models.py")),
    "other_app": trace(INNER, frame("/srv/shop/items/views.py")),
}


def test_other_problems() -> None:
    found = [problem_of(stack_trace=text)[0] for text in (trace(INNER, OWN), *OTHERS.values())]
    assert len(set(found)) == len(found)
    assert all(len(id_ or "") == 12 for id_ in found)


def test_the_id_stays_as_it_is() -> None:
    """What is resolved or muted is known by it: it may change only with a note in the changelog."""
    assert problem_of(stack_trace=trace(INNER, OWN))[0] == "cdbf8395fab8"
    assert problem_of(level="ERROR", message="failed 7 times")[0] == "9fdc3fd64cea"


OWN_PATHS = [  # id, settings, file, title
    ("own", {"own": ["/srv/www/shop/*"]}, "/srv/www/shop/apps/orders/views.py", "E in apps.orders.views.checkout"),
    ("own_library", {"own": ["*/site-packages/shop_*"]}, "/v/site-packages/shop_x/a.py", "E in shop_x.a.checkout"),
    ("library", {"library": ["/srv/shop/vendor/*"]}, "/srv/shop/vendor/x.py", "E in manage.main"),
    ("default", {}, "/srv/shop/vendor/x.py", "E in vendor.x.checkout"),
]


@pytest.mark.parametrize(
    ("settings", "file", "title"), [row[1:] for row in OWN_PATHS], ids=[row[0] for row in OWN_PATHS]
)
def test_own_and_library(settings: dict[str, Any], file: str, title: str) -> None:
    text = trace(frame("/srv/shop/manage.py", 1, "main"), frame(file), error="E")
    assert problem_of(settings, stack_trace=text)[1] == title


PATTERNS = [  # id, message, pattern
    ("number", "order 17 failed after 3.5s", "order <n> failed after <n>s"),
    ("path", "Internal Server Error: /orders/17/items/9", "Internal Server Error: /orders/<n>/items/<n>"),
    ("query", "Bad gateway: /search?q=%EC%84%9C&page=2 (502)", "Bad gateway: /search?… (<n>)"),
    ("uuid", "no 3f2504e0-4f89-11d3-9a0c-0305e82c3301 here", "no <id> here"),
    ("hex", "object at 0x7fae12c0 lost", "object at <id> lost"),
    ("hash", "commit d00dfee1 and a1b2c3", "commit <id> and <id>"),
    ("name_with_number", "user42 of worker-3", "user<n> of worker-<n>"),
    ("ip", "to 10.0.0.5:6379 and 10.1.2.3", "to <ip> and <ip>"),
    ("ip_at_the_end", "to 10.0.0.5:6379. Refused by 10.0.0.6.", "to <ip>. Refused by <ip>."),
    ("version", "version 1.2.3.4.5 of 1.2.3", "version <n> of <n>"),
    ("ipv6_of_ipv4", "to ::ffff:192.0.2.1 and [64:ff9b::192.0.2.1]:80", "to <ip> and <ip>"),
    ("ipv6", "to 2001:db8::1 and [::1] and fe80::1:2:3:4", "to <ip> and <ip> and <ip>"),
    ("email", "mail to kim.lee+x@mail.example.com bounced", "mail to <email> bounced"),
    ("time", "at 2026-11-19T05:00:00.123Z and 2026-11-19 05:00", "at <time> and <time>"),
    ("date", "on 2026-11-19 or 19/11/2026 10:05", "on <n> or <n> <n>"),
    ("quoted", "no 'red shoes' or \"blue\" or `x`", "no '…' or \"…\" or `…`"),
    ("apostrophe", "can't read the user's file", "can't read the user's file"),
    ("object", "bad <Order: Order object (17)> and <User: kim>", "bad <Order …> and <User …>"),
    ("korean", "주문 17번을 '서울'로 보낼 수 없음", "주문 <n>번을 '…'로 보낼 수 없음"),
    ("first_line", "\n  failed  twice\nmore", "failed twice"),
    ("long", "a" * 500, "a" * 300),
    ("empty", " \n ", ""),
]


@pytest.mark.parametrize(("message", "pattern"), [row[1:] for row in PATTERNS], ids=[row[0] for row in PATTERNS])
def test_patterns_of_messages(message: str, pattern: str) -> None:
    assert message_pattern(message) == pattern


CANDIDATES = [  # id, record, title
    ("error", {"level": "ERROR", "message": "failed 7"}, "failed <n>"),
    ("lower_case", {"level": "critical", "message": "failed"}, "failed"),
    ("info", {"level": "INFO", "message": "failed"}, None),
    ("warning_with_trace", {"level": "WARNING", "message": "x", "stack_trace": trace(INNER, OWN)}, ADD),
    ("no_level", {"message": "failed"}, None),
    ("trace_in_message", {"message": "oops\n" + trace(INNER, OWN)}, ADD),
    ("trace_in_message_of_an_error", {"level": "ERROR", "message": "oops\n" + trace(INNER, OWN)}, ADD),
    ("ecs", {"log": {"level": "error"}, "message": "x", "error": {"stack_trace": trace(INNER, OWN)}}, ADD),
    ("ecs_type", {"log": {"level": "error"}, "error": {"type": "E", "stack_trace": HEADER + OWN}}, "E in orders.views"),
    ("own_level", {"level": "INFO", "log": {"level": "error"}, "message": "failed"}, None),
    ("empty_level", {"level": "", "log": {"level": "error"}, "message": "failed"}, "failed"),
    ("levels", {"level": ["INFO", "ERROR"], "message": "failed"}, "failed"),
    ("ecs_dotted", {"log.level": "error", "message": "failed 7"}, "failed <n>"),
    ("ecs_dotted_trace", {"log.level": "error", "error.stack_trace": trace(INNER, OWN)}, ADD),
    ("error_type", {"level": "ERROR", "error_type": "a.E", "stack_trace": HEADER + OWN}, "E in orders.views.checkout"),
    ("exc_info", {"level": "ERROR", "exc_info": trace(INNER, OWN)}, ADD),
    ("exc_text", {"level": "ERROR", "exc_text": trace(INNER, OWN)}, ADD),
    ("exc_info_is_a_flag", {"level": "ERROR", "message": "failed", "exc_info": True}, "failed"),
    ("no_exception", {"level": "ERROR", "message": "failed", "stack_trace": "NoneType: None\n"}, "failed"),
    ("access_line", {"level": "ERROR", "message": "GET / 500", "visit": True}, None),
    ("about_a_request", {"level": "ERROR", "message": "GET / 500", "visit": False}, "GET / <n>"),
    ("no_message", {"level": "ERROR"}, None),
    ("odd_types", {"level": ["ERROR"], "message": 5, "stack_trace": {"a": 1}, "visit": []}, None),
]


CASES = [
    Case(
        "error",
        {},
        {"level": "ERROR", "message": "failed 7 times", "tags": []},
        {
            "level": "ERROR",
            "message": "failed 7 times",
            "tags": [],
            "problem": "9fdc3fd64cea",
            "problem_title": "failed <n> times",
        },
    ),
    Case("info", {}, {"level": "INFO", "message": "failed"}, {"level": "INFO", "message": "failed"}, done=False),
]


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_problem(case: Case) -> None:
    check("problem", case)


@pytest.mark.parametrize(("event", "title"), [row[1:] for row in CANDIDATES], ids=[row[0] for row in CANDIDATES])
def test_which_records_are_problems(event: dict[str, Any], title: str | None) -> None:
    found = problem_of(**event)[1]
    assert found == title if title is None else (found or "").startswith(title)


def test_a_problem_of_the_site_stays() -> None:
    event = {"level": "ERROR", "message": "failed", "problem": "ours"}
    for context in (BuildContext(), BuildContext(again=True)):
        after = copy.deepcopy(event)
        assert not build_in(context, "problem", {})(after)
        assert after == event


@pytest.mark.parametrize("missing", ["", None, []], ids=["empty", "null", "empty_array"])
def test_a_problem_without_a_name_is_none(missing: Any) -> None:
    event = {"level": "ERROR", "message": "failed 7 times", "problem": missing, "problem_title": missing}
    assert build("problem")(event)
    assert (event["problem"], event["problem_title"]) == ("9fdc3fd64cea", "failed <n> times")


def test_stored_events_are_grouped_again() -> None:
    event = {"level": "ERROR", "message": "failed", "problem": "old", "problem_title": "Old"}
    assert build_in(BuildContext(again=True), "problem", {})(event)
    assert event["problem_title"] == "failed"
    assert event["problem"] != "old"


EMAILS = st.from_regex(r"[a-z]{1,9}@[a-z]{1,9}\.com", fullmatch=True)
KINDS = [st.integers(0, 10**12), st.uuids(), st.ip_addresses(v=4), st.ip_addresses(v=6), st.datetimes(), EMAILS]
IDS = st.sampled_from(KINDS).flatmap(lambda kind: st.tuples(kind.map(str), kind.map(str)))


@given(IDS, st.integers(1, 10**6))
def test_ids_and_lines_change_nothing(ids: tuple[str, str], line: int) -> None:
    one, other = ids

    def of(value: str, number: int) -> tuple[str | None, str | None]:
        error = f"ValueError: no item {value} of 'a {value}'"
        return problem_of(stack_trace=trace(INNER, frame("/srv/shop/orders/views.py", number), error=error))

    assert of(one, 1) == of(other, line)


NUMBERS = st.integers(0, 10**12).map(str)


@given(NUMBERS, NUMBERS, st.sampled_from(["order %s failed", "user%s, /a/%s/", "#%s (%sms)", "x=%s; y=-%s"]))
def test_numbers_in_messages_change_nothing(one: str, other: str, text: str) -> None:
    of_one, of_other = (problem_of(level="ERROR", message=text.replace("%s", value)) for value in (one, other))
    assert of_one == of_other


PIECES = [
    HEADER,
    OWN,
    INNER,
    DURING,
    "  + Exception Group ",
    "  | ",
    "  +-+---------------- 1 ----\n",
    "E: x\n",
    "a.b",
    '"',
]
TRACES = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=20).map("".join)
FIELDS = (
    "level",
    "message",
    "stack_trace",
    "exc_info",
    "error",
    "log",
    "error_type",
    "visit",
    "problem",
    "problem_title",
)


@given(st.fixed_dictionaries({}, optional={name: VALUES | TRACES | st.just("ERROR") for name in FIELDS}), st.booleans())
def test_no_record_fails_or_loses_anything(event: dict[str, Any], again: bool) -> None:
    after = copy.deepcopy(event)
    build_in(BuildContext(again=again), "problem", {})(after)
    own = ("problem", "problem_title")
    assert {name: value for name, value in after.items() if name not in own} == {
        name: value for name, value in event.items() if name not in own
    }
    title = after.get("problem_title")
    assert title == event.get("problem_title") or (title and len(title) <= 200)


@pytest.mark.parametrize(
    "piece", [*PIECES, "<a ", "'", "1.", "a@", "a:", "::", "a1", "?a=", "\n", "0x", "-", "|", "+-"]
)
def test_time_is_linear_in_the_length(piece: str) -> None:
    text = piece * (400_000 // len(piece))
    problem = build("problem")
    start = time.process_time()
    problem({"level": "ERROR", "message": text, "stack_trace": text})
    problem({"level": "ERROR", "message": "x", "stack_trace": HEADER + OWN + f"E: {text}"})
    assert time.process_time() - start < 1.0
