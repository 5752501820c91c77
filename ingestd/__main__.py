"""``python -m ingestd`` and the console script ``ingestd``."""

import atexit
import gc

from ingestd.cli.main import main as ingestd


def main() -> None:
    """Be the command ``ingestd``, in a process of its own."""
    atexit.register(gc.freeze)  # looking for garbage at the end would take up to a fifth of a command's CPU time
    ingestd()


if __name__ == "__main__":
    main()
