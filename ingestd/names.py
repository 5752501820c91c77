"""Names of pipelines, and of the files that the processes write for them.

Every worker process keeps one journal per pipeline, and every ``store`` output one append log per index. Their names
are made here and nowhere else, so that no name leaves the data folder and no two writers share a file.

=================  ==========================================  =========================
what               pipeline ``main``                           another pipeline, ``web``
=================  ==========================================  =========================
journal folder     ``w0``                                      ``w0-web``
writer id          ``w0``                                      ``w0_web``
store writer id    ``w0``; ``w0_archive`` for ``id => archive``  ``w0_web``; ``w0_web_archive``
spool of ``s3``    ``w0-s3_0-0a1b2c3d``, by its bucket         ``w0_web-s3_0-0a1b2c3d``
=================  ==========================================  =========================
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable

MAIN = "main"
"""The pipeline without a name of its own: ``-f``, ``-e``, or the built-in one."""

MAX_NAME_BYTES = 64
"""In UTF-8. A file name may have 255 bytes, and so may systemd's FDNAME, where a character takes up to nine."""

_MAX_WRITER_ID = 24
_MAX_STORE_WRITER_ID = 32
_MAX_SPOOL_PLUGIN = 64
_FIRST_STORE = "store_0"
_JOURNAL = re.compile(r"w(?P<worker>\d+)(?:-(?P<pipeline>.+))?", re.DOTALL)
_NOT_IN_WRITER_ID = re.compile(r"[^a-z0-9_]")
_RULE = "use letters, digits, '_', '-' and '.', starting with a letter or a digit"


class OutputCollisionError(ValueError):
    """Two outputs would write to the same files; ``pipeline`` and ``plugin_id`` are those of the second one."""

    def __init__(self, message: str, pipeline: str, plugin_id: str) -> None:
        super().__init__(message)
        self.pipeline, self.plugin_id = pipeline, plugin_id


def check_pipeline_name(name: str) -> None:
    """Refuse a name that cannot be part of a file name.

    Raises:
        ValueError: It is not 1 to ``MAX_NAME_BYTES`` bytes of letters and digits of any script, ``_``, ``-`` and ``.``,
            starting with a letter or a digit. The text says what is wrong with it, and what is allowed.
    """
    if not name:
        raise ValueError(f"a pipeline name is empty; {_RULE}")
    if wrong := next((char for char in name if not (char.isalnum() or char in "_-.")), None):
        raise ValueError(f"pipeline name {name!r}: {wrong!r} is not allowed; {_RULE}")
    if not name[0].isalnum():
        raise ValueError(f"pipeline name {name!r} starts with {name[0]!r}; {_RULE}")
    if (size := len(name.encode())) > MAX_NAME_BYTES:
        raise ValueError(f"pipeline name {name!r} has {size} bytes; use at most {MAX_NAME_BYTES}")


def valid_name(name: str) -> str:
    """Return a name that ``check_pipeline_name`` accepts, but for its length: other characters become ``_``."""
    name = "".join(char if char.isalnum() or char in "_-." else "_" for char in name)
    return name if not name or name[0].isalnum() else f"p{name}"


def check_pipeline_names(names: Iterable[str], process: str = "w0") -> None:
    """Refuse names of pipelines that cannot run in one daemon; ``process`` as for ``writer_id``.

    Raises:
        ValueError: One of them is not allowed, or two would write to the same files.
    """
    owners: dict[str, str] = {}
    for name in names:
        check_pipeline_name(name)
        other = owners.setdefault(writer_id(process, name), name)
        if other != name:
            length = _MAX_WRITER_ID - len(process) - 1
            raise ValueError(
                f"pipelines {other!r} and {name!r} would write to the same files; rename one of them so that their "
                f"first {length} characters differ in ASCII letters or digits, not only in case or punctuation"
            )


def worker_name(number: int) -> str:
    """Return the name of a worker process in file names; ``number`` from 0."""
    return f"w{number}"


def journal_name(worker: int, pipeline: str) -> str:
    """Return the name of the folder of a worker's journal for one pipeline.

    Raises:
        ValueError: See ``check_pipeline_name``.
    """
    check_pipeline_name(pipeline)
    process = worker_name(worker)
    return process if pipeline == MAIN else f"{process}-{pipeline}"


def parse_journal_name(name: str) -> tuple[int, str] | None:
    """Return worker and pipeline of a journal's folder, None if ``journal_name`` does not make such names."""
    match = _JOURNAL.fullmatch(name)
    return (int(match["worker"]), match["pipeline"] or MAIN) if match is not None else None


def writer_id(process: str, pipeline: str) -> str:
    """Return the name under which a process (``w0``, ``import`` ...) writes for one pipeline: ``a-z 0-9 _``.

    Different pipelines may get the same one: see ``check_pipeline_names``.
    """
    return process if pipeline == MAIN else f"{process}_{_part(pipeline)}"[:_MAX_WRITER_ID]


def store_writer_id(writer: str, plugin_id: str) -> str:
    """Return the name under which one ``store`` output writes: 1 to 32 of ``a-z 0-9 _``.

    Different outputs may get the same one: see ``check_store_writer_ids``.
    """
    return writer if plugin_id == _FIRST_STORE else f"{writer}_{_part(plugin_id)}"[:_MAX_STORE_WRITER_ID]


def check_store_writer_id(writer: str) -> None:
    """Refuse the name of a writer of the store that cannot be part of a file name.

    Raises:
        ValueError: It is not 1 to 32 characters of ``a-z 0-9 _``.
    """
    if not 0 < len(writer) <= _MAX_STORE_WRITER_ID or _NOT_IN_WRITER_ID.search(writer):
        raise ValueError(f"a writer id has 1 to {_MAX_STORE_WRITER_ID} characters of a-z, 0-9 and _: {writer!r}")


def spool_name(writer: str, plugin_id: str, destination: str) -> str:
    """Return the name of the folder in which an output of a process keeps events for a destination: ``a-z 0-9 _ -``.

    What is before the last ``-`` is the same for all destinations. Different outputs may get the same name; then only
    one of them can open the folder.
    """
    return f"{writer}-{_part(plugin_id)[:_MAX_SPOOL_PLUGIN]}-{zlib.crc32(destination.encode()):08x}"


def check_store_writer_ids(outputs: Iterable[tuple[str, str, str]]) -> None:
    """Refuse ``store`` outputs of one process that would write to the same files.

    Args:
        outputs: Pipeline, plugin id and store writer id of each.

    Raises:
        OutputCollisionError: Two have the same writer id.
    """
    owners: dict[str, tuple[str, str]] = {}
    for pipeline, plugin_id, writer in outputs:
        if writer in owners:
            other, other_id = owners[writer]
            message = (
                f"output {plugin_id!r} of pipeline {pipeline!r} would write to the same files of the store as output "
                f"{other_id!r} of pipeline {other!r}"
            )
            raise OutputCollisionError(message, pipeline, plugin_id)
        owners[writer] = (pipeline, plugin_id)


def _part(name: str) -> str:
    return _NOT_IN_WRITER_ID.sub("_", name.lower())
