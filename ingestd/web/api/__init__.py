"""The dashboard's JSON API, ``api/...``."""
