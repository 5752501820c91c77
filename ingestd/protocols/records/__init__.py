"""Formats of a single record: syslog, GELF, CEF, CSV, access lines, records of Python's loggers."""
