"""One link to one local XBee: the serial line, the frames on it, requests and their answers."""
