"""The explorer's tools: keys, downloads, completion, views, panels, in both languages, on a desktop and a phone."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.dashboard.conftest import Open, Site

SCREENS: list[dict[str, Any]] = [
    {"locale": "en-US", "viewport": {"width": 1440, "height": 1000}},
    {"locale": "ko-KR", "viewport": {"width": 390, "height": 844}},
]


@pytest.fixture(scope="module")
def site(local_site: Site) -> Site:
    return local_site


@pytest.fixture(params=SCREENS, ids=["desktop-en", "phone-ko"])
def screen(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Options of a browser context: a screen and a language."""
    options: dict[str, Any] = request.param
    return options


class TestShortcuts:
    def test_j_and_k_move_and_enter_unfolds(self, site: Site, visit: Open, screen: dict[str, Any]) -> None:
        page = visit(site.url, "range=30d", **screen)
        keyboard, focused = page.page.keyboard, page.page.locator("tr.row:has(.open:focus)")
        ids = page.rows.evaluate_all("rows => rows.map(row => row.dataset.id)")
        for key, expected in [("j", 0), ("j", 1), ("j", 2), ("k", 1), ("k", 0), ("k", 0)]:
            keyboard.press(key)
            expect(focused).to_have_attribute("data-id", ids[expected])
        keyboard.press("Enter")
        expect(page.page.locator("tr.detail")).to_have_count(1)
        keyboard.press("j")
        expect(focused).to_have_attribute("data-id", ids[1])
        keyboard.press("k")
        keyboard.press("Escape")
        expect(page.page.locator("tr.detail")).to_have_count(0)
        expect(focused).to_have_attribute("data-id", ids[0])

    def test_keys_of_a_korean_keyboard(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "range=30d", locale="ko-KR")
        event = "new KeyboardEvent('keydown', { key: 'ㅓ', code: 'KeyJ', bubbles: true })"
        page.page.evaluate(f"document.body.dispatchEvent({event})")
        expect(page.page.locator("tr.row .open:focus")).to_have_count(1)

    def test_the_list_of_keys(self, site: Site, visit: Open, screen: dict[str, Any]) -> None:
        page = visit(site.url, "", **screen)
        keyboard, box = page.page.keyboard, page.page.get_by_role("combobox")
        keyboard.press("/")
        expect(box).to_be_focused()
        keyboard.press("?")
        expect(box).to_have_value("?")  # in a box a key is text
        box.fill("")
        keyboard.press("Escape")
        keyboard.press("Escape")
        expect(box).not_to_be_focused()
        keyboard.press("?")
        dialog = page.page.get_by_role("dialog")
        expect(dialog.locator("kbd")).to_have_text(["/", "j", "k", "Enter", "Esc", "?"])
        page.shot("keys")
        dialog.get_by_role("switch").uncheck()
        keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        keyboard.press("/")
        expect(box).not_to_be_focused()


class TestDownload:
    def test_what_is_shown(self, site: Site, visit: Open, screen: dict[str, Any]) -> None:
        page = visit(site.url, "range=30d&q=level:ERROR&cols=status_code", **screen)
        korean = screen["locale"] == "ko-KR"
        button = page.page.get_by_role("button", name="다운로드" if korean else "Download", exact=True)
        failures = [sent for sent in reversed(site.history.sent) if sent.level == "ERROR"]

        def download(form: str, *, whole: bool = False) -> bytes:
            button.click()
            choices = page.page.get_by_role("dialog")
            if whole:
                choices.get_by_role("switch").uncheck()
            page.shot(f"menu-{form}")
            with page.page.expect_download() as waiting:
                choices.locator(f"[data-format={form}]").click()
            assert waiting.value.suggested_filename.endswith(f".{form}")
            return Path(waiting.value.path()).read_bytes()

        excel = download("csv").decode("utf-8-sig")
        rows = list(csv.reader(io.StringIO(excel, newline="")))
        assert rows[0] == ["'@timestamp", "level", "status_code", "message"]
        assert [row[1:] for row in rows[1:]] == [["ERROR", "500", sent.message] for sent in failures]
        events = [json.loads(line) for line in download("ndjson", whole=True).splitlines()]
        assert [event["stack_trace"] for event in events] == [sent.more["stack_trace"] for sent in failures]
        assert download("parquet", whole=True).startswith(b"PAR1")


CONTEXTS = [  # id, text, the cursor at |; what is completed
    ("field", "sta|", ["sta", 0, ""]),
    ("negated", "-sta|", ["sta", 1, ""]),
    ("after_operator", "a AND sta|", ["sta", 6, "AND"]),
    ("operator", "level:ERROR |", ["", 12, "level:ERROR"]),
    ("bracket", "(le|", ["le", 1, ""]),
    ("value", "level:ER|", ["level", "ER", 6]),
    ("value_after_or", "a OR search_word:서|", ["search_word", "서", 17]),
    ("quoted", 'search_word:"서울 맛|', ["search_word", '"서울 맛', 12]),
    ("compared", "status_code:>=4|", ["status_code", "4", 14]),
    ("escaped_field", r"my\ field:x|", ["my field", "x", 10]),
    ("nested_field", "geoip.country_code2:|", ["geoip.country_code2", "", 20]),
    ("range", "status_code:[400 TO 4|", None),
    ("phrase", '"not fou|', None),
    ("within_a_word", "le|vel", None),
]


class TestCompletion:
    def test_what_stands_before_the_cursor(self, site: Site, visit: Open) -> None:
        found = visit(site.url).page.evaluate(
            """async (cases) => {
                const { contextAt } = await import("./static/completion.js");
                return Object.fromEntries(Object.entries(cases).map(([name, text]) => {
                    const found = contextAt(text.replace("|", ""), text.indexOf("|"));
                    const values = found && ("field" in found
                        ? [found.field, found.value, found.start] : [found.word, found.start, found.after]);
                    return [name, values];
                }));
            }""",
            {name: text for name, text, _ in CONTEXTS},
        )
        assert found == {name: expected for name, _, expected in CONTEXTS}

    def test_field_value_operator(self, site: Site, visit: Open, screen: dict[str, Any]) -> None:
        page = visit(site.url, "range=30d", **screen)
        box, options = page.page.get_by_role("combobox"), page.page.get_by_role("option")
        box.press_sequentially("WOR")
        expect(options.locator(".option-text").first).to_have_text("search_word")
        page.shot("fields")
        box.press("ArrowDown")
        expect(box).to_have_attribute("aria-activedescendant", "option-0")
        box.press("Enter")
        expect(box).to_have_value("search_word:")
        expect(options.locator(".option-text")).to_contain_text(["서울 맛집", "부산 여행"])
        box.press_sequentially("제")
        expect(options.locator(".option-text")).to_have_text(["제주 렌터카"])
        expect(options.locator(".option-kind")).to_have_text(["5"])
        box.press("ArrowDown")
        box.press("Enter")
        expect(box).to_have_value('search_word:"제주 렌터카" ')
        expect(options.locator(".option-text")).to_have_text(["AND", "OR", "NOT"])
        options.nth(1).click()
        expect(box).to_have_value('search_word:"제주 렌터카" OR ')
        box.press_sequentially("level:err")
        expect(options.locator(".option-text")).to_have_text(["ERROR"])
        page.shot("values")
        options.first.click()
        expect(box).to_have_value('search_word:"제주 렌터카" OR level:ERROR ')
        box.press("Enter")
        page.settled()
        expected = [sent for sent in site.history.sent if sent.word == "제주 렌터카" or sent.level == "ERROR"]
        assert page.total == len(expected)
        expect(options).to_have_count(0)

    def test_an_unfinished_syllable_is_left_alone(self, site: Site, visit: Open) -> None:
        page = visit(site.url, "range=30d", locale="ko-KR")
        box, options = page.page.get_by_role("combobox"), page.page.get_by_role("option")
        keyboard = page.page.context.new_cdp_session(page.page)

        def compose(text: str) -> None:
            keyboard.send("Input.imeSetComposition", {"text": text, "selectionStart": 1, "selectionEnd": 1})

        box.press_sequentially("search_word:")
        expect(options.first).to_contain_text("서울 맛집")
        for text in ("ㅂ", "부"):
            compose(text)
            expect(box).to_have_value(f"search_word:{text}")
        expect(options.locator(".option-text")).to_have_text(["부산 여행"])
        key = "new KeyboardEvent('keydown', { key: 'ArrowDown', isComposing: true, bubbles: true })"
        box.evaluate(f"box => box.dispatchEvent({key})")
        expect(box).not_to_have_attribute("aria-activedescendant", "option-0")
        options.first.click()
        expect(box).to_have_value('search_word:"부산 여행" ')
        expect(box).to_be_focused()
