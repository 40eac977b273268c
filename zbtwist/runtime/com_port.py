"""The COM-PORT option of telnet, as numbers: RFC 2217, 3, "The COM Port Control Option".

What a client sends is answered with a number that is `TO_CLIENT` higher and the value that is then
in force.
"""

from __future__ import annotations

#: The option.
COM_PORT = 44

#: The commands of a client, and what is added to them in their answers.
SIGNATURE, SET_BAUDRATE, SET_DATASIZE, SET_PARITY, SET_STOPSIZE, SET_CONTROL = range(6)
NOTIFY_LINESTATE, NOTIFY_MODEMSTATE, SUSPEND, RESUME = range(6, 10)
SET_LINESTATE_MASK, SET_MODEMSTATE_MASK, PURGE_DATA = range(10, 13)
TO_CLIENT = 100

#: Bytes of a rate; all other values have one.
RATE_SIZE = 4

#: Values of SET-PARITY, by their names.
PARITIES = {"none": 1, "odd": 2, "even": 3, "mark": 4, "space": 5}

#: Values of SET-CONTROL: flow control, and the lines.
NO_FLOW, HARDWARE_FLOW = 1, 3
DTR_ON, DTR_OFF, RTS_ON, RTS_OFF = 8, 9, 11, 12

#: What is purged.
PURGE_RECEIVED, PURGE_TRANSMIT, PURGE_BOTH = 1, 2, 3
