"""What all tests share."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# How long something takes says nothing on a machine that is busy with other work.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
