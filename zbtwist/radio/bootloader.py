"""What a module's bootloader says on the serial line, in place of frames.

Three kinds of it speak text. That of Ember's chips (S2, S2B, S2C) and of Silicon Labs' (XBee 3) has
a menu and the prompt ``BL >``, at 115200 baud whatever BD is; 2 runs the firmware (90000976 and
90002002, "XBee bootloader"; 90000976, "Send firmware image"; 90002253, "Use a host processor to
update the device firmware"). That of programmable modules (S2B, S2C) stands before the radio and
has a menu of letters; B passes on to the radio (90000976, "Programmable XBee SDK", "Bootloader menu
commands"). Either of them, once told to take firmware, sends the letter C again and again until
XMODEM-CRC begins.
"""

from __future__ import annotations

import re

#: Its name and version, as the menu's first line has it: ``Gecko Bootloader v1.5.1``, or
#: ``EM357 Serial Btl v5.4.1.0 b123``.
_NAME = re.compile(rb"(?:Gecko Bootloader|[A-Z0-9 ]{2,12}Serial Btl) v[0-9][0-9A-Za-z. ]{0,20}")
_MENU = re.compile(rb"BL >|Gecko Bootloader v|Serial Btl v|upload (?:gbl|ebl)|ebl info")
_PROGRAMMABLE = re.compile(rb"\bB ?- ?Bypass", re.IGNORECASE)
#: Alone, or behind what says that it begins.
_XMODEM = re.compile(rb"(?:\A|begin upload|[\r\n\0])C{3,}\Z")

#: What helps where it does not run its firmware by itself.
_ANEW = 'if it stays there, its firmware is missing or damaged: load it anew with XCTU ("Recovery")'


def bootloader_in(heard: bytes) -> str:
    """Look whether a bootloader speaks, and say what to do.

    @param heard: the last bytes that came and are no frame.
    @return: a sentence; empty if it is none.
    """
    if _XMODEM.search(heard):
        return (
            "The radio is in its bootloader and waits for firmware (it sends C again and again, "
            "for XMODEM): somebody has begun to load it. Let that end, or switch the radio off and "
            f"on; {_ANEW}."
        )
    if _PROGRAMMABLE.search(heard):
        return (
            "The radio is in the bootloader of a programmable module, which shows its menu "
            "(B-Bypass): switch it off and on, or send the letter B to it from a terminal, which "
            "passes on to the radio; if it stays there, load a program that passes on everything, "
            "with XCTU."
        )
    if not _MENU.search(heard):
        return ""
    name = _NAME.search(heard)
    which = "" if name is None else f" ({' '.join(name[0].decode('ascii').split())})"
    return (
        f"The radio is in its bootloader{which}, and not in its firmware: switch it off and on, or "
        f"send 2 (run) to it from a terminal at 115200 baud; {_ANEW}."
    )
