"""The places of the page: each tab in its states, popup and dialog. A new tab needs one here, or a test fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import expect

from tests.e2e.dashboard.browser import Dashboard


def nothing(_: Dashboard) -> None:
    pass


def picker(page: Dashboard) -> None:
    page.page.locator(".button.range").click()


def unfolded(page: Dashboard) -> None:
    page.page.locator("tr.row.lv-error .open").first.click()
    if page.page.locator("details.sidebar:not([open])").count():
        page.page.locator("details.sidebar summary").click()
    page.page.locator(".field-name").first.click()


def context(page: Dashboard) -> None:
    """What happened on the host of an error, around it."""
    page.page.locator("tr.row.lv-error .open").first.click()
    page.page.locator(".record-bar .button.small").first.click()
    expect(page.page.locator("tr.row.centre")).to_be_visible()
    page.settled()


def doctor(page: Dashboard) -> None:
    expect(page.page.locator(".doctor")).to_be_visible()
    for summary in page.page.locator(".doctor summary").all():
        summary.click()


def login(page: Dashboard) -> None:
    """The page to sign in, after a wrong password."""
    page.page.locator("[type=password]").fill("wrong")
    page.page.locator("[type=submit]").click()
    expect(page.page.get_by_role("alert")).to_be_visible()


def setup(page: Dashboard) -> None:
    page.page.locator("[type=password]").fill(PASSWORD)
    page.page.locator("[type=submit]").click()
    expect(page.page.locator(".setup .step").first).to_be_visible()


def why(page: Dashboard) -> None:
    unfolded(page)
    page.page.locator("[data-view='trace']").click()
    expect(page.page.locator(".steps-table, .steps .notice").first).to_be_visible()


def wrong(page: Dashboard) -> None:
    page.ask('level:"x')
    expect(page.page.locator(".query-error")).to_be_visible()


def question(page: Dashboard) -> None:
    page.page.locator(".row-buttons .button:last-child").first.click()
    expect(page.page.locator("dialog[open]")).to_be_visible()


def alerts(page: Dashboard) -> None:
    """An alert, which is made the first time."""
    errors = page.page.get_by_role("button", name="errors").first
    expect(page.page.locator(".card").first).to_be_visible()
    if not errors.count():
        new_alert(page)
        page.page.locator("[name=name]").fill("errors")
        page.page.locator(".alert-form [type=submit]").click()
    expect(errors).to_be_visible()


def new_alert(page: Dashboard) -> None:
    page.page.locator(".card-end .button").click()
    page.page.locator("[name=query]").fill("level:ERROR")
    page.page.locator(".dialog-buttons .button:nth-child(2)").click()
    expect(page.page.locator(".alert-bars")).to_be_visible()


def problem(page: Dashboard) -> None:
    page.page.locator(".problem-title").first.click()
    expect(page.page.locator(".problem-heading")).to_be_visible()
    page.settled()


def keys(page: Dashboard) -> None:
    page.page.keyboard.press("?")
    expect(page.page.locator("dialog[open]")).to_be_visible()


def download(page: Dashboard) -> None:
    page.page.locator(".table-tools [aria-haspopup]").last.click()


def views(page: Dashboard) -> None:
    page.page.locator("[data-views]").click()
    expect(page.page.locator(".view-form")).to_be_visible()


def new_panel(page: Dashboard) -> None:
    page.page.locator(".histogram .table-tools [aria-haspopup]").click()
    page.page.locator(".panel-form [name=kind]").select_option("percentiles")


def completion(page: Dashboard) -> None:
    page.page.get_by_role("combobox").first.press_sequentially("status")
    expect(page.page.get_by_role("option").first).to_be_visible()
    page.page.keyboard.press("ArrowDown")


@dataclass(frozen=True, slots=True)
class Place:
    """A place: the state in the address, and what is done there before it is looked at.

    ``locked``: at a daemon with the password `PASSWORD` and no events, at which nobody has signed in.
    """

    name: str
    state: str
    act: Callable[[Dashboard], None] = nothing
    locked: bool = False


PASSWORD = "long and secret"
PANELS = ",".join(
    [
        "~number~max~status_code",
        "~percentiles~status_code~level",
        "~errors~request_path",
        "~histogram~search_word",
        "~percentiles~duration_ms~request_path",
    ]
)

PLACES = [
    Place("logs", "range=30d"),
    Place("warnings", "range=30d&level=WARNING&traces=1&f=type%3D%22django%22&f=level%21%3D%22INFO%22"),
    Place("marks", "range=30d&q=level%3A%28INFO+OR+WARNING+OR+ERROR%29"),
    Place("midnight", "from=2026-11-30T13:33:00Z&to=2026-11-30T15:33:00Z"),  # two dates: the longest name of a range
    Place("event", "range=30d&cols=status_code&charts=level", unfolded),
    Place("why", "range=30d", why),
    Place("context", "range=30d", context),
    Place("doctor", "range=30d", doctor),
    Place("picker", "", picker),
    Place("wrong", "", wrong),
    Place("live", "live=1"),
    Place("none", "q=nothinglikethis"),
    Place("panels", "range=7d&cols=status_code,search_word&sort=-status_code&compare=1&charts=" + PANELS),
    Place("new_panel", "", new_panel),
    Place("completion", "range=30d", completion),
    Place("keys", "", keys),
    Place("download", "range=30d&cols=status_code", download),
    Place("views", "", views),
    Place("problems", "tab=problems&range=30d&q=error+OR+checkout"),
    Place("problem", "tab=problems&range=30d", problem),
    Place("words", "tab=words&range=7d"),
    Place("word", "tab=words&range=7d&word=jeju"),
    Place("visitors", "tab=visitors&range=30d"),
    Place("regions", "tab=visitors&range=30d&country=KR"),
    Place("no_regions", "tab=visitors&range=30d&country=US"),
    Place("particular", "tab=visitors&range=30d&country=KR&region=Busan&requests=1&particular=1"),
    Place("alerts", "tab=alerts", alerts),
    Place("new_alert", "tab=alerts", new_alert),
    Place("status", "tab=status"),
    Place("question", "tab=status", question),
    Place("login", "", login, locked=True),
    Place("setup", "", setup, locked=True),
]
