import pytest

from ingestd.web.auth import login_page


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("ko-KR,ko;q=0.9,en;q=0.8", "ko"),
        ("en-US,en;q=0.9,ko;q=0.8", "en"),
        ("fr, KO", "ko"),
        ("fr", "en"),
        ("*", "en"),
    ],
)
def test_language(accepted: str, language: str) -> None:
    assert login_page.language_of(accepted) == language


@pytest.mark.parametrize(
    ("text", "following"),
    [
        ("?q=level%3AERROR&since=1", "?q=level%3AERROR&since=1"),
        ("#x", "#x"),
        ("", ""),
        ("//evil.example", ""),
        ("https://evil.example", ""),
        ("/\\evil.example", ""),
        ("?x\r\nSet-Cookie: a=b", ""),
        ("?" + "x" * 5000, ""),
    ],
)
def test_next(text: str, following: str) -> None:
    assert login_page.safe_next(text) == following


def test_page() -> None:
    text = login_page.render("ko", '?q="><script>alert(1)</script>', "wait", 7)
    assert '<html lang="ko">' in text
    assert "7초 후에" in text
    assert "<script>" not in text
    assert 'value="?q=&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"' in text
