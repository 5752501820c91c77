"""Files of an installation besides its settings and configs: patterns, the keystore, those of the JVM."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ingestd.app.logstash_folder import PipelineSource
from ingestd.app.logstash_settings import Verdict
from ingestd.app.migration.finding import Finding
from ingestd.app.migration.installation import Installation
from ingestd.grok.compile import compile_grok
from ingestd.grok.errors import PatternError
from ingestd.grok.library import PatternLibrary, load_library, parse_patterns

KEYSTORE = "logstash.keystore"
_IGNORED = {
    "jvm.options": "there is no JVM",
    "log4j2.properties": "the log goes to stderr: log_level, log_format",
    "startup.options": "`ingestd config systemd` prints a unit",
}

_UNUSABLE = "Logstash does not use it either; a filter that does is an error in its config"


def keystore_finding(folder: Path, names: Sequence[str]) -> Iterator[Finding]:
    """Yield what to do about the keystore, if there is one; ``names``: variables of the configs that are not set."""
    file = folder / KEYSTORE
    if file.exists():
        needed = f"needs {', '.join(names)}" if names else "needs none of its values"
        text = f"the keystore is encrypted and is not read; what is configured {needed}"
        advice = "set environment variables of these names, in /etc/ingestd/ingestd.env" if names else ""
        yield Finding(str(file), 0, Verdict.NEEDS_WORK if names else Verdict.RUNS, text, advice)


def other_files(installation: Installation, sources: Sequence[PipelineSource], *, ecs: str) -> Iterator[Finding]:
    """Yield what the other files mean."""
    for name, why in _IGNORED.items():
        if (installation.settings / name).exists():
            yield Finding(str(installation.settings / name), 0, Verdict.DIFFERS, "is not read", why)
    for folder in {path: None for source in sources for path in source.paths if path.is_dir()}:
        yield from _other_names(folder)
    for folder in dict.fromkeys(parent / "patterns" for parent in (installation.settings, installation.home)):
        yield from _patterns(folder, ecs=ecs != "disabled")


def _other_names(folder: Path) -> Iterator[Finding]:
    """Yield the files of a folder that Logstash reads as configs, and ingestd does not."""
    for file in sorted(folder.iterdir()):
        if file.is_file() and file.suffix != ".conf" and not file.name.startswith(".") and not file.name.endswith("~"):
            text = "is not read: of a folder, only *.conf files are"
            yield Finding(str(file), 0, Verdict.NEEDS_WORK, text, "rename it, or move it away if it is not a config")


def _patterns(folder: Path, *, ecs: bool) -> Iterator[Finding]:
    """Yield whether the patterns of a folder can be used, each file on its own."""
    for file in sorted(folder.glob("*")):
        if not file.is_file():
            continue
        try:
            names = parse_patterns(file.read_text("utf-8"))
            library = load_library([folder], ecs=ecs)
        except (OSError, UnicodeDecodeError, PatternError) as error:
            yield Finding(str(file), 0, Verdict.NEEDS_WORK, "cannot be read", str(error))
            continue
        mistakes = [f"pattern {name}: {mistake}" for name in names if (mistake := _mistake(name, library))]
        yield from (Finding(str(file), 0, Verdict.DIFFERS, mistake, _UNUSABLE) for mistake in mistakes)
        if not mistakes:
            text = f"{len(names)} pattern{'s' * (len(names) != 1)}, for filters that name the folder in patterns_dir"
            yield Finding(str(file), 0, Verdict.RUNS, text)


def _mistake(name: str, library: PatternLibrary) -> str:
    try:
        compile_grok(f"%{{{name}}}", library)
    except PatternError as error:
        return str(error)
    return ""
