"""How a Django site sends its records and access lines, under each server: what to write into which file.

The setup page, ``ingestd doctor`` and docs/production.md show the same texts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

HOST, PORT, BEATS_PORT = "127.0.0.1", 5959, 5044
"""Where the built-in pipeline listens; on the port for Beats only if the setting ``beats_port`` says so."""

CLIENT = "ingestd-django"
"""The recipe for ingestd's own client, which logs each request under any server."""

CLIENT_LOGGER = "ingestd_django.access"

_ADDRESS = ("INGESTD_HOST", "INGESTD_PORT", "INGESTD_BEATS_PORT")  # replaced in the texts
_ANY_ADDRESS = re.compile("|".join(_ADDRESS))

ACCESS_LOGGERS = {
    "runserver": "django.server",
    "gunicorn": "gunicorn.access",
    "uvicorn": "uvicorn.access",
}
"""The loggers of access lines, by server. The others write their access log without Python's logging."""

NGINX_CLIENT = "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"
"""With this nginx passes the client's address on."""

GUNICORN_CLIENT = (
    """--access-logformat '%({x-forwarded-for}i)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'"""
)
"""With this option gunicorn writes the address that a proxy passes on."""

UWSGI_FORMAT = (
    '%(addr) - %(user) [%(ltime)] "%(method) %(uri) %(proto)" %(status) %(rsize) "%(referer)" "%(uagent)" %(micros)'
)
"""uWSGI's own format names no time zone, referrer and user agent."""

_ENTRY = '"{logger}": {{"handlers": ["console", "logstash"], "level": "INFO", "propagate": False}},'

_LOGGING = """\
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {
        "console": {"class": "logging.StreamHandler"},
        "logstash": {
            "class": "logstash.TCPLogstashHandler",
            "host": "INGESTD_HOST",
            "port": INGESTD_PORT,
            "version": 1,
            "message_type": "django",
        },
    },
    # Your own code: logging.getLogger("shop.views") and all others.
    "root": {"handlers": ["console", "logstash"], "level": "INFO"},
    "loggers": {
ENTRIES
    },
}
"""

CLIENT_MIDDLEWARE = 'MIDDLEWARE = ["ingestd_django.AccessLog", *MIDDLEWARE]'
"""With this setting of Django the client logs each request."""

CLIENT_PROXIES = 'INGESTD_ACCESS_LOG = {"TRUSTED_PROXIES": ["127.0.0.1"]}'
"""With this setting of Django the client takes the address that a proxy on the same machine passes on."""

_CLIENT_SETTINGS = """\
INSTALLED_APPS += ["ingestd_django"]  # for manage.py ingestd_check
CLIENT_MIDDLEWARE  # keep it first

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {
        "console": {"class": "logging.StreamHandler"},
        "ingestd": {
            "class": "ingestd_django.IngestdHandler",
            "host": "INGESTD_HOST",
            "port": INGESTD_BEATS_PORT,
            "message_type": "django",
        },
    },
    # Django, your own code, and a record for each request.
    "root": {"handlers": ["console", "ingestd"], "level": "INFO"},
}
""".replace("CLIENT_MIDDLEWARE", CLIENT_MIDDLEWARE)

_BEATS_PORT_SETTING = """\
# ingestd-django sends to this port. It is opened by `ingestd reload`, or a restart.
beats_port = INGESTD_BEATS_PORT
"""

_TAIL_UNIT = """\
[Unit]
Description=Send ACCESS_LOG to ingestd
After=network-online.target
# While ingestd is down, keep trying.
StartLimitIntervalSec=0

[Service]
ExecStart=/bin/bash -c 'exec tail -n 0 -F ACCESS_LOG > /dev/tcp/INGESTD_HOST/INGESTD_PORT'
Restart=always
RestartSec=1s

[Install]
WantedBy=multi-user.target
"""

_NGINX = """\
server {
    listen 80;
    access_log /var/log/nginx/access.log combined;
    location / {
        proxy_pass http://127.0.0.1:8000;
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
    }
}
"""

_APACHE = """\
<VirtualHost *:80>
    CustomLog /var/log/apache2/access.log combined
    ProxyPreserveHost On
    ProxyPass / http://127.0.0.1:8000/
    ProxyPassReverse / http://127.0.0.1:8000/
</VirtualHost>
"""

_MODULES = "a2enmod proxy proxy_http && systemctl restart apache2\n"

_UWSGI = """\
[uwsgi]
module = mysite.wsgi
master = true
processes = 4
http-socket = 127.0.0.1:8000
req-logger = file:/var/log/mysite/access.log
log-format = UWSGI_FORMAT
log-x-forwarded-for = true
""".replace("UWSGI_FORMAT", UWSGI_FORMAT)

_LINE_TIMEZONE = """\
# TIME_ZONE of settings.py: the lines of Daphne name no zone.
line_timezone = "Asia/Seoul"
"""


@dataclass(frozen=True, slots=True)
class Snippet:
    """A text to copy, and where it belongs: a file, or ``sh`` for a command."""

    place: str
    text: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to do in order: with ingestd's own client, or with the stock handler under one server.

    Attributes:
        name: `CLIENT`, or the server.
        title: The name as its own documentation writes it.
        snippets: What to copy where.
        package: What has to be installed for it.
    """

    name: str
    title: str
    snippets: tuple[Snippet, ...]
    package: str = "python-logstash"


def logging_entry(server: str) -> str:
    """Return the line for ``LOGGING["loggers"]`` that sends the access lines of a server in `ACCESS_LOGGERS`."""
    return _ENTRY.format(logger=ACCESS_LOGGERS[server])


def recipes(host: str = HOST, port: int = PORT, beats_port: int = 0) -> tuple[Recipe, ...]:
    """Return the recipe for ingestd's own client, then those for each server with the stock handler.

    Args:
        host: Where ingestd is.
        port: Of the input ``tcp`` for the stock handler.
        beats_port: Of the input ``beats`` for the client; 0: there is none yet, and the recipe says how to add it.
    """
    logging = Snippet("settings.py", _logging(("runserver", "gunicorn", "uvicorn")))
    behind = Snippet("settings.py", _logging(("runserver",)))
    own_log = _tail("/var/log/mysite/access.log")
    daphne = "daphne --proxy-headers --access-log /var/log/mysite/access.log mysite.asgi:application"
    found = (
        _client(beats_port),
        Recipe("runserver", "runserver", (logging,)),
        Recipe("gunicorn", "gunicorn", (logging, Snippet("sh", "gunicorn --access-logfile - mysite.wsgi\n"))),
        Recipe("uvicorn", "uvicorn", (logging, Snippet("sh", "uvicorn --proxy-headers mysite.asgi:application\n"))),
        Recipe(
            "daphne",
            "Daphne",
            (logging, Snippet("sh", daphne + "\n"), Snippet("ingestd.toml", _LINE_TIMEZONE), own_log),
        ),
        Recipe("uwsgi", "uWSGI", (logging, Snippet("uwsgi.ini", _UWSGI), own_log)),
        Recipe("nginx", "nginx", (behind, Snippet("nginx.conf", _NGINX), _tail("/var/log/nginx/access.log"))),
        Recipe(
            "apache",
            "Apache",
            (behind, Snippet("apache.conf", _APACHE), Snippet("sh", _MODULES), _tail("/var/log/apache2/access.log")),
        ),
    )
    address = dict(zip(_ADDRESS, (host, str(port), str(beats_port or BEATS_PORT)), strict=True))
    return tuple(replace(made, snippets=tuple(_at(part, address) for part in made.snippets)) for made in found)


def recipe(name: str, host: str = HOST, port: int = PORT) -> Recipe:
    """Return the recipe for a server. Raises KeyError."""
    return {found.name: found for found in recipes(host, port)}[name]


def _client(beats_port: int) -> Recipe:
    listen = () if beats_port else (Snippet("ingestd.toml", _BEATS_PORT_SETTING),)
    check = Snippet("sh", "python manage.py ingestd_check\n")
    return Recipe(CLIENT, CLIENT, (*listen, Snippet("settings.py", _CLIENT_SETTINGS), check), CLIENT)


def _logging(servers: tuple[str, ...]) -> str:
    comments = {
        "runserver": "The access log of `manage.py runserver`.",
        "gunicorn": "The access log of gunicorn; it also needs the option --access-logfile -.",
        "uvicorn": "The access log of uvicorn.",
    }
    django = [_ENTRY.format(logger="django")]
    entries = django + [line for name in servers for line in (f"# {comments[name]}", logging_entry(name))]
    return _LOGGING.replace("ENTRIES", "\n".join(f"        {line}" for line in entries))


def _tail(access_log: str) -> Snippet:
    return Snippet("/etc/systemd/system/access-log.service", _TAIL_UNIT.replace("ACCESS_LOG", access_log))


def _at(snippet: Snippet, address: dict[str, str]) -> Snippet:
    return replace(snippet, text=_ANY_ADDRESS.sub(lambda found: address[found[0]], snippet.text))
