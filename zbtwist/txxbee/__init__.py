"""txXBee's class on Python 3: an XBee as a Twisted protocol that speaks in dictionaries.

A program that subclassed ``txXBee.protocol.txXBee`` changes its import to ``from zbtwist.txxbee
import txXBee``. The dictionaries are those of python-xbee 2.3.2's ``ZigBee``, on which txXBee
stood: the same names, bytes as values, no key for a variable field that is empty.
"""

from zbtwist.txxbee.protocol import txXBee

__all__ = ["txXBee"]
