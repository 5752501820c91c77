"""Alerts: rules that are evaluated on a store at intervals, and channels that are notified.

``config``, ``rules``      what the settings and the page say, checked
``evaluation``             what a rule measures, and whether its alert fires
``state``                  what survives a restart
``delivery``, ``channels`` notifications on their way out: persisted first, in order, retried
``engine``                 all of it, driven by a clock
``health``                 what needs attention
``preview``                what a rule would have done
"""
