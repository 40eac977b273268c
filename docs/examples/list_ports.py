#!/usr/bin/env python3
"""Print which node has which TCP port.

    python list_ports.py [http://127.0.0.1:27000/RPC2]

It runs under Python 2.7 and Python 3 and needs nothing but their own libraries.
"""

import sys

try:
    from xmlrpc.client import Error, ServerProxy
    from http.client import HTTPException
    from xml.parsers.expat import ExpatError
except ImportError:
    from xmlrpclib import Error, ServerProxy
    from httplib import HTTPException
    from xml.parsers.expat import ExpatError

DEFAULT_URL = "http://127.0.0.1:27000/RPC2"


def describe(node):
    # Digi's gateways write an address as "[00:13:a2:00:40:0a:3e:ff]!".
    address = node["addr_extended"].strip("[]!")
    return "64-bit Address: %s, NodeID: %s, TCP Port: %d\n" % (
        address,
        node["label"],
        node["tcp_port"],
    )


def main(url=DEFAULT_URL):
    try:
        nodes = ServerProxy(url).list()
    except (EnvironmentError, HTTPException, Error, ExpatError) as error:
        return "No gateway answers at %s (%s). Is it running?" % (url, error)
    # As bytes, because Python 2 cannot print every name to a pipe.
    output = getattr(sys.stdout, "buffer", sys.stdout)
    for node in nodes:
        output.write(describe(node).encode("utf-8"))
    return 0


if __name__ == "__main__":
    if len(sys.argv) > 2 or sys.argv[1:2] in (["-h"], ["--help"]):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
