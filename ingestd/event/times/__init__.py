"""Dates and times as text: ISO 8601, epochs, Joda-Time and java.time patterns, time zones, names of months."""
