"""Settings of the daemon, declared once in the class ``Settings``; ``docs/settings.md`` is generated from it.

Flags override the environment, which overrides a TOML file, which overrides the defaults. A setting has the same name
everywhere: ``max_line_bytes`` in the file is ``INGESTD_MAX_LINE_BYTES`` and ``--max-line-bytes``; ``max_bytes``
in the file's table ``[dead_letters]`` is ``INGESTD_DEAD_LETTERS_MAX_BYTES`` and ``--dead-letters-max-bytes``.
An empty variable counts as not set.
"""

from ingestd.settings.alerts import (
    NAME,
    AlertChannelSettings,
    AlertRuleSettings,
    AlertsSettings,
    parse_rule,
    rule_document,
)
from ingestd.settings.declared import NAMED_TABLES, SETTINGS, Setting, Settings, named_settings
from ingestd.settings.kinds import ACCEPT, DEAD_LETTER
from ingestd.settings.loading import SettingsError, find_settings_file, load_settings, reloaded, resolve_data_dir
from ingestd.settings.stored_zone import StoredZone, read_stored_zone, remember_zone, stored_zone_path
from ingestd.settings.tables import (
    BackupSettings,
    BatchSettings,
    DeadLettersSettings,
    JournalSettings,
    RestoreSettings,
    RetentionSettings,
    ScheduleSettings,
)

__all__ = [
    "ACCEPT",
    "DEAD_LETTER",
    "NAME",
    "NAMED_TABLES",
    "SETTINGS",
    "AlertChannelSettings",
    "AlertRuleSettings",
    "AlertsSettings",
    "BackupSettings",
    "BatchSettings",
    "DeadLettersSettings",
    "JournalSettings",
    "RestoreSettings",
    "RetentionSettings",
    "ScheduleSettings",
    "Setting",
    "Settings",
    "SettingsError",
    "StoredZone",
    "find_settings_file",
    "load_settings",
    "named_settings",
    "parse_rule",
    "read_stored_zone",
    "reloaded",
    "remember_zone",
    "resolve_data_dir",
    "rule_document",
    "stored_zone_path",
]
