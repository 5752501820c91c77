"""What to install for locations: the same commands in the log, in the doctor's answers and on the pages."""

from __future__ import annotations

import importlib.util

INSTALL_PACKAGE = "pip install 'ingestd[geoip]'"
INSTALL_DATABASE = "ingestd geoip install dbip:country-lite"
INSTALL_CITIES = "ingestd geoip install dbip:city-lite"


def has_package() -> bool:
    """Return whether the package that reads databases is installed."""
    return importlib.util.find_spec("maxminddb") is not None


def install_command(*, package: bool) -> str:
    """Return the shell command that installs a database, and first the package if that is missing."""
    return INSTALL_DATABASE if package else f"{INSTALL_PACKAGE} && {INSTALL_DATABASE}"
