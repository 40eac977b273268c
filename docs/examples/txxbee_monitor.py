"""A program as they were written for txXBee, on Python 3: it asks a node for its inputs every two
seconds, and prints what the network says.

    python txxbee_monitor.py /dev/ttyUSB0 00:13:a2:00:40:0a:3e:02

The radio must be in API mode 2 (AP=2), and nobody else may have its port open.
"""

import sys

from twisted.internet import reactor
from twisted.internet.serialport import SerialPort
from twisted.internet.task import LoopingCall

from zbtwist.txxbee import txXBee


class Monitor(txXBee):
    def __init__(self, node):
        super().__init__(escaped=True)
        self.node = node
        self.asking = LoopingCall(self.ask)

    def connectionMade(self):
        self.asking.start(2.0)

    def ask(self):
        # Python 2 took "\x01" and "IS" for bytes. Here it is b"\x01", and b"IS".
        self.remote_at(frame_id=b"\x01", dest_addr_long=self.node, command=b"IS")

    def handle_packet(self, packet):
        if packet["id"] == "remote_at_response" and packet["command"] == b"IS":
            if packet["status"] == b"\x00":
                print("inputs:", packet["parameter"][0], flush=True)
            else:
                print("the node did not answer, status", packet["status"].hex(), flush=True)
        elif packet["id"] == "rx":
            print(packet["source_addr_long"].hex(":"), "says", packet["rf_data"], flush=True)

    def handle_badframe(self, packet):
        print("not a frame:", packet.hex(), flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    path, address = sys.argv[1:]
    SerialPort(Monitor(bytes.fromhex(address.replace(":", ""))), path, reactor, baudrate=9600)
    reactor.run()
