"""The event: fields, references, placeholders, timestamps, JSON. Pure: no I/O, no clock."""
