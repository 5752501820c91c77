"""Settings of the daemon: one declared list, the class ``Settings``; ``docs/settings.md`` is made from it.

A value is taken from, in rising order: the default, a TOML file, the environment, a flag. A setting has the same
name in each: ``max_line_bytes`` in the file is ``INGESTD_MAX_LINE_BYTES`` and ``--max-line-bytes``; ``max_bytes``
in the file's table ``[dead_letters]`` is ``INGESTD_DEAD_LETTERS_MAX_BYTES`` and ``--dead-letters-max-bytes``.
An empty variable counts as not set.
"""

from ingestd.settings.declared import (
    SETTINGS,
    Backup,
    Batch,
    DeadLetters,
    Journal,
    Restore,
    Retention,
    Schedule,
    Setting,
    Settings,
)
from ingestd.settings.loading import SettingsError, find_settings_file, load_settings, resolve_data_dir

__all__ = [
    "SETTINGS",
    "Backup",
    "Batch",
    "DeadLetters",
    "Journal",
    "Restore",
    "Retention",
    "Schedule",
    "Setting",
    "Settings",
    "SettingsError",
    "find_settings_file",
    "load_settings",
    "resolve_data_dir",
]
