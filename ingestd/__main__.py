"""``python -m ingestd`` and the console script ``ingestd``."""

import atexit
import gc

from ingestd.cli.main import main as ingestd


def main() -> None:
    """Be the command ``ingestd``, in a process of its own."""
    atexit.register(_leave_garbage)
    ingestd()


def _leave_garbage() -> None:
    """Let the interpreter look for no old garbage at its end: that would take up to a fifth of a command's CPU time."""
    gc.collect(1)  # the latest, such as errors with what they hold: extensions report objects that are left
    gc.freeze()


if __name__ == "__main__":
    main()
