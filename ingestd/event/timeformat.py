"""Times as text by pattern: the one door to ``joda_parse``, ``joda_print`` and ``java_print``."""

from ingestd.event.java_print import compile_java_time_print
from ingestd.event.joda_parse import compile_joda_parse
from ingestd.event.joda_print import compile_joda_print

__all__ = ["compile_java_time_print", "compile_joda_parse", "compile_joda_print"]
