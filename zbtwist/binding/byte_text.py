r"""Bytes as people write them in the configuration: text with ``\r``, ``\x03`` and the like."""

from __future__ import annotations

import re

from zbtwist.runtime.option import Mistake

_ESCAPES = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\"}

_TOKEN = re.compile(r"\\x([\da-fA-F]{2})|\\(.?)|([^\\])", re.DOTALL)

#: What stands behind a backslash where pieces may end.
END = "w"


def pieces_of(text: str, has_ends: bool = False) -> list[bytes]:
    r"""Return the bytes that a text stands for, in the pieces that end at each ``\w``.

    @param has_ends: it may have such ends; else there is one piece.
    @raise Mistake: an escape that there is not.
    """
    pieces = [b""]
    for code, escape, plain in _TOKEN.findall(text):
        if code or plain:
            pieces[-1] += bytes.fromhex(code) if code else plain.encode()
        elif escape in _ESCAPES:
            pieces[-1] += _ESCAPES[escape]
        elif has_ends and escape == END:
            pieces.append(b"")
        else:
            known = r"\r, \n, \t, \0, \\, \w" if has_ends else r"\r, \n, \t, \0, \\"
            raise Mistake(rf"must have {known} or \x and two digits behind it, not \{escape}.")
    return pieces
