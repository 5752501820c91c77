"""Two folders change names, in one step where the system can do that.

Linux can on its usual file systems: renameat2(2) with RENAME_EXCHANGE. Elsewhere it takes two renames, and who is
killed between them leaves the one folder beside the other, with ``.old`` behind its name.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from pathlib import Path

_OLD = ".old"
_HERE = -100  # AT_FDCWD
_EXCHANGE = 2  # RENAME_EXCHANGE


def exchange(one: Path, other: Path) -> None:
    """Let two folders on one disk change names.

    Raises:
        OSError: The disk refuses.
    """
    if _at_once(one, other):
        return
    old = one.with_name(one.name + _OLD)
    other.rename(old)
    one.rename(other)
    old.rename(one)


def put_back(aside: Path, root: Path) -> None:
    """Give what a killed ``exchange`` of a folder in ``aside`` has left without a name its name in ``root`` back."""
    for old in aside.glob("*" + _OLD):
        with contextlib.suppress(OSError):  # there is another one by now
            old.rename(root / old.name.removesuffix(_OLD))


def _at_once(one: Path, other: Path) -> bool:
    """Return whether the system did it; what it says of a wrong path, the renames say again."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    done: int = rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE)
    return done == 0
