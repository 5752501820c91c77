"""What may precede an access line in a text: a header of syslog or of a container runtime, or what a formatter adds.

A sentence may not: text that quotes an access line is not one.

Headers: RFC 3164 and 5424, ``journalctl``, the log files of Kubernetes (CRI), ``docker compose logs``.
"""

from __future__ import annotations

import re

_MAX_CHARS = 500

_TIME = r"(?:[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} |[0-9]{4}-[0-9]{2}-[0-9]{2}T\S{8,30} )"
_HEADER = re.compile(
    r"<[0-9]{1,3}>1 (?:\S{1,255} ){5}(?:-|\[[^\]\n]{0,300}\]) \ufeff?"
    rf"|(?:<[0-9]{{1,3}}>{_TIME}?|{_TIME})(?:\S{{1,255}} )?[^\s\":\[]{{1,100}}(?:\[[0-9]{{1,10}}\])?: "
    rf"|{_TIME}std(?:out|err) [FP] "
    r"|[\w.-]{1,100} +\| "
).match

_BRACKETS = str.maketrans(dict.fromkeys("[](){}<>|", " "))
_NAMES = frozenset(
    [
        *("debug", "info", "notice", "warn", "warning", "error", "critical", "fatal", "trace"),
        *("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
        *("mon", "tue", "wed", "thu", "fri", "sat", "sun", "stdout", "stderr", "mainprocess", "mainthread"),
        *("django", "basehttp", "server", "channels", "daphne", "wsgi", "asgi", "werkzeug", "gunicorn", "glogging"),
        *("uvicorn", "hypercorn", "granian", "waitress", "uwsgi", "nginx", "apache", "httpd"),
        *("access", "root", "localhost", "unix"),
    ]
)
"""Words that formatters and servers write: levels, months, days, processes, loggers, modules, hosts."""


def header_end(text: str) -> int:
    """Return where the line starts after the header that syslog or a container runtime put before it; 0: no header."""
    match = _HEADER(text)
    return 0 if match is None else match.end()


def is_log_prefix(text: str) -> bool:
    """Return whether a text is what a formatter writes before a message: times, levels, numbers and names.

    Words of a sentence, an open quote, and the URL of a request that goes out are not.
    """
    if len(text) > _MAX_CHARS or text.count('"') % 2 or text.count("'") % 2:
        return False
    words = text.translate(_BRACKETS).split()
    return all(map(_is_name, words)) and not (words and "://" in words[-1])


def _is_name(word: str) -> bool:
    bare = word.strip(":,;.!?-")
    return not bare.isalpha() or bare.isupper() or bare.lower() in _NAMES
