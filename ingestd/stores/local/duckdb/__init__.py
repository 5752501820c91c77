"""DuckDB: its sessions, and the SQL of sealed files and their columns."""
