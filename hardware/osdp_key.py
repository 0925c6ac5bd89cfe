"""The key of one reader's panel on OSDP, from its file. Apart from :mod:`hardware.osdp`, because a configuration is checked by it."""

from __future__ import annotations

import re
import stat
from itertools import pairwise
from pathlib import Path

from hardware.ports import DeviceError

KEY_BYTES = 16
_STEPS_LEAST = 8
"""Different steps from one byte of a key to the next. A drawn key has some fourteen, the default key (0x30 … 0x3F) has one."""


def read_key(path: Path) -> bytes:
    """A panel's own secure channel base key (SCBK) out of its file: 32 hexadecimal digits, for the owner's eyes only.

    Raises DeviceError: missing, readable by others, malformed, the default key, or one that is no better.
    """
    try:
        mode, text = path.stat().st_mode, path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        what = error.strerror if isinstance(error, OSError) else "not text"
        raise DeviceError(str(path), f"the panel's key cannot be read: {what}", "write 32 hexadecimal digits") from error
    if stat.S_IMODE(mode) & 0o077:
        raise DeviceError(str(path), "others may read the panel's key", f"chmod 600 {path}")
    if not re.fullmatch(f"[0-9A-Fa-f]{{{2 * KEY_BYTES}}}", text):
        raise DeviceError(str(path), "not a key", "write 32 hexadecimal digits")
    key = bytes.fromhex(text)
    if len({(after - before) % 256 for before, after in pairwise(key)}) < _STEPS_LEAST:
        raise DeviceError(str(path), "the default key (SCBK-D), or one as easily guessed", "draw one for this panel alone")
    return key
