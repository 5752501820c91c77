"""The login page: a form that works without scripts, in Korean or English as the browser prefers."""

from __future__ import annotations

import html
import re

_WORDS = {
    "en": {
        "title": "ingestd: sign in",
        "password": "Password",
        "submit": "Sign in",
        "wrong": "The password is wrong.",
        "wait": "Too many attempts. Try again in {seconds} s.",
    },
    "ko": {
        "title": "ingestd: 로그인",
        "password": "비밀번호",
        "submit": "로그인",
        "wrong": "비밀번호가 올바르지 않습니다.",
        "wait": "시도 횟수가 너무 많습니다. {seconds}초 후에 다시 시도하세요.",
    },
}

_PAGE = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" href="static/icon.svg">
<link rel="stylesheet" href="static/app.css">
<script src="static/theme.js"></script>
</head>
<body class="login">
<main>
<h1>ingestd</h1>
<form method="post" action="login">
{problem}<input name="username" value="ingestd" autocomplete="username" hidden>
<p><label for="password">{password}</label></p>
<p><input id="password" name="password" type="password" autocomplete="current-password" required autofocus></p>
<input name="next" type="hidden" value="{next}">
<p><button type="submit">{submit}</button></p>
</form>
</main>
</body>
</html>
"""

_NEXT = re.compile(r"[?#][\x21-\x7e]{0,4000}")


def language_of(accepted: str) -> str:
    """Return ``ko`` or ``en``, whichever an Accept-Language header names first; ``en`` if none."""
    for part in accepted.lower().split(","):
        name = part.partition(";")[0].strip().partition("-")[0]
        if name in _WORDS:
            return name
    return "en"


def safe_next(text: str) -> str:
    """Return where to go after signing in: a query or fragment of the dashboard, never another page or site."""
    return text if _NEXT.fullmatch(text) else ""


def render(accepted: str, following: str, problem: str = "", seconds: int = 0) -> str:
    """Return the page; ``problem`` is ``wrong``, ``wait`` (``seconds`` to go) or empty."""
    language = language_of(accepted)
    words = _WORDS[language]
    alert = f'<p role="alert">{words[problem].format(seconds=seconds)}</p>\n' if problem else ""
    return _PAGE.format(
        language=language,
        title=words["title"],
        password=words["password"],
        submit=words["submit"],
        next=html.escape(safe_next(following)),
        problem=alert,
    )
