"""zbtwist: a gateway that gives every XBee node a TCP port."""

__version__ = "0.1.0"
