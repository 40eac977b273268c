"""Somebody at a broker who says a share of all messages once more, and late, as brokers may that
redeliver: ``python -m tests.system.repeater PORT SHARE``.
"""

from __future__ import annotations

import random
import sys
from typing import Any

from zbtwist.mqtt.interfaces import Message
from zbtwist.mqtt.service import BrokerService
from zbtwist.mqtt.settings import MQTTSettings

#: Seconds by which it is late at the most.
LATE = 3.0

FILTERS = ("zbtwist/+/nodes/+/rx", "zbtwist/+/nodes/+/tx", "zbtwist/hubs/#")


def main() -> None:
    from twisted.internet import reactor as installed

    reactor: Any = installed
    share = float(sys.argv[2])
    broker = BrokerService(reactor, MQTTSettings(broker=f"tcp:127.0.0.1:{sys.argv[1]}"))

    def hear(message: Message) -> None:
        if random.random() < share:
            reactor.callLater(random.random() * LATE, broker.publish, message)

    broker.connected.append(lambda: print("repeats", flush=True))
    for topic_filter in FILTERS:
        broker.subscribe(topic_filter, hear)
    broker.startService()
    broker.identify("repeater")
    reactor.run()


if __name__ == "__main__":
    main()
