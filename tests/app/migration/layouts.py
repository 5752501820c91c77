"""Made-up Logstash installations: what a package, the container image and the archive put where."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

CONFIG = """
input { tcp { port => 5000 codec => json_lines } }
filter {
  grok { match => { "message" => "%{COMBINEDAPACHELOG}" } }
  date { match => ["timestamp", "dd/MMM/yyyy:HH:mm:ss Z"] }
}
output { elasticsearch { hosts => ["http://127.0.0.1:9200"] } }
"""


def put(folder: Path, files: Mapping[str, str]) -> None:
    """Write files below a folder."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def versions(number: str) -> str:
    """Return the text of ``logstash-core/versions-gem-copy.yml``."""
    return f"# alpha and beta qualifiers are now added via environment variables\n---\nlogstash: {number}\n" + (
        f"logstash-core: {number}\nlogstash-core-plugin-api: 2.1.16\n"
    )


def debian(root: Path, number: str) -> Path:
    """Make the package's folders below a root, and return that of the settings."""
    put(
        root,
        {
            "usr/share/logstash/logstash-core/versions-gem-copy.yml": versions(number),
            "etc/logstash/logstash.yml": "path.data: /var/lib/logstash\npath.logs: /var/log/logstash\n",
            "etc/logstash/pipelines.yml": '- pipeline.id: main\n  path.config: "/etc/logstash/conf.d/*.conf"\n',
            "etc/logstash/conf.d/main.conf": CONFIG,
            "etc/logstash/jvm.options": "-Xms1g\n",
            "etc/logstash/log4j2.properties": "status = error\n",
            "etc/logstash/startup.options": "LS_HOME=/usr/share/logstash\n",
        },
    )
    return root / "etc/logstash"


def docker(root: Path, number: str) -> Path:
    """Make the folders of the image below a root, and return Logstash's own one."""
    put(
        root / "usr/share/logstash",
        {
            "logstash-core/versions-gem-copy.yml": versions(number),
            "config/logstash.yml": 'http.host: "0.0.0.0"\n',
            "config/pipelines.yml": '- pipeline.id: main\n  path.config: "/usr/share/logstash/pipeline"\n',
            "pipeline/logstash.conf": CONFIG,
        },
    )
    return root / "usr/share/logstash"


def archive(folder: Path, number: str) -> Path:
    """Make what the archive unpacks to, and return that folder."""
    home = folder / f"logstash-{number}"
    put(
        home,
        {
            "Gemfile.lock": f"PATH\n  remote: logstash-core\n  specs:\n    logstash-core ({number}-java)\n",
            "config/logstash.yml": "# pipeline.workers: 2\n",
            "config/pipelines.yml": "# - pipeline.id: test\n",
            "config/logstash-sample.conf": "input { beats { } }\n",
            "config/my.conf": CONFIG,
        },
    )
    return home
