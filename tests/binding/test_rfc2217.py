"""``rfc2217``: a client sets a node's serial line, and is answered with what is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.binding.serial_world import COM_PORT, PYSERIAL, SerialTestCase
from tests.xbee.strategies import repeatable
from zbtwist.binding.modem_lines import modem_lines
from zbtwist.binding.node_uart import BELIEVED, DRAIN_TIME
from zbtwist.binding.port_settings import NONE
from zbtwist.binding.rfc2217 import MAX_SUSPENDED, MAX_WAITING
from zbtwist.runtime.option import Context
from zbtwist.runtime.telnet_codec import BREAK, DO, IAC, SB, SE, WILL, subnegotiation
from zbtwist.xbee.devices import END_DEVICE
from zbtwist.xbee.status import ATStatus

BAUD, SIZE, PARITY, STOP, CONTROL, LINE, MODEM, SUSPEND, RESUME, LINE_MASK, MODEM_MASK, PURGE = (
    range(1, 13)
)

#: CTS, DSR and DCD, as they are where nothing is known of them.
ALL_ON = 0xB0


class SettingTests(SerialTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.client = self.connect()
        self.client.open()
        self.commands: list[str] = []

    def told(self) -> list[str]:
        """Return what the node was told since this was called last."""
        told, self.commands = self.commands, []
        return told

    def watch(self) -> None:
        """Note what the node is told from now on."""
        execute = self.node.execute

        def noting(command: str, parameter: bytes) -> tuple[int, bytes]:
            self.commands.append(command + (f"={parameter.hex()}" if parameter else ""))
            return execute(command, parameter)

        self.patch(self.node, "execute", noting)

    def test_negotiation(self) -> None:
        client = self.connect()
        client.say(PYSERIAL, 0.1)
        self.assertIn((DO, COM_PORT), client.options)
        self.assertIn((WILL, COM_PORT), client.options)
        # Once, right after it, and what is on is a change.
        self.assertEqual(client.answers, [(107, ALL_ON | ALL_ON >> 4)])

    def test_nothing_before_it(self) -> None:
        client = self.connect()
        self.assertEqual(client.ask((BAUD, 19200)), [])
        self.assertEqual(self.node.uart.baud, 9600)

    def test_as_pyserial_opens(self) -> None:
        """Four settings at once, and only what differs is set."""
        self.watch()
        asked = ((BAUD, 19200), (SIZE, 8), (PARITY, 1), (STOP, 1))
        answers = self.client.ask(*asked)
        self.assertEqual(answers, [(101, 19200), (102, 8), (103, 1), (104, 1)])
        self.assertEqual(self.told(), ["BD", "NB", "SB", "BD=00000004"])
        self.assertEqual(self.client.ask(*asked), answers)
        self.assertEqual(self.told(), [])
        self.assertEqual(str(self.node.uart), "19200 8N1")
        self.assertEqual(self.known.unwritten, {"BD"})
        self.assertEqual(self.node.registers.flash_writes, 0)

    def test_all_of_them(self) -> None:
        for asked, line in (
            (((PARITY, 3),), "9600 8E1"),
            (((STOP, 2), (PARITY, 2)), "9600 8O2"),
            (((PARITY, 4), (BAUD, 115200)), "115200 8M2"),
            (((STOP, 1), (PARITY, 1), (BAUD, 1200)), "1200 8N1"),
        ):
            answers = self.client.ask(*asked)
            self.assertEqual(answers, [(command + 100, value) for command, value in asked])
            self.assertEqual(str(self.node.uart), line)

    def test_refused(self) -> None:
        """The answer says what is."""
        for asked, answer in (
            ((BAUD, 300), 9600),
            ((BAUD, 17), 9600),
            ((BAUD, 4_000_000_000), 9600),
            ((SIZE, 5), 8),
            ((SIZE, 7), 8),
            ((PARITY, 5), 1),
            ((PARITY, 9), 1),
            ((STOP, 3), 1),
            ((CONTROL, 2), 1),
            ((CONTROL, 15), 16),
            ((CONTROL, 17), 1),
            ((CONTROL, 18), 16),
        ):
            self.assertEqual(self.client.ask(asked), [(asked[0] + 100, answer)])
        self.assertEqual(self.client.ask((CONTROL, 20)), [])
        self.assertEqual(str(self.node.uart), "9600 8N1")

    def test_queries(self) -> None:
        """They read the node anew: somebody may have set it at its own line."""
        self.client.ask((BAUD, 0))
        self.node.set_baud(57600)
        self.go_on(2.0)
        queries = ((BAUD, 0), (SIZE, 0), (PARITY, 0), (STOP, 0), (CONTROL, 0), (CONTROL, 13))
        self.assertEqual(
            self.client.ask(*queries),
            [(101, 57600), (102, 8), (103, 1), (104, 1), (105, 1), (105, 16)],
        )

    def test_what_is_known_is_not_asked_for_again(self) -> None:
        self.client.ask((BAUD, 9600))
        self.watch()
        self.client.ask((BAUD, 9600), (PARITY, 1))
        self.assertEqual(self.told(), [])
        self.reactor.advance(BELIEVED)
        self.client.ask((BAUD, 9600))
        self.assertEqual(self.told(), ["BD", "NB", "SB"])

    def test_set_by_somebody_else(self) -> None:
        self.client.ask((BAUD, 9600))
        self.watch()
        for command, value, read in (
            ("BD", b"\6", ["BD=06", "BD", "BD=00000003"]),
            ("AC", b"", ["AC", "BD", "NB", "SB"]),
        ):
            self.gateway.network.remote_at(self.known, command, value).send(None)
            self.go_on(0.5)
            self.client.ask((BAUD, 9600))
            self.assertEqual(self.told(), read)

    def test_restarted(self) -> None:
        """What was set is not in its flash memory, and nobody takes it for what is."""
        self.client.ask((BAUD, 19200))
        self.node.execute("FR", b"")
        self.go_on(2.0)
        self.assertEqual(self.client.ask((PARITY, 3), (BAUD, 0)), [(103, 3), (101, 9600)])

    def test_odd_rate(self) -> None:
        """The answer is what the module makes of it."""
        self.assertEqual(self.client.ask((BAUD, 31250)), [(101, 31250)])
        store = self.node.registers.store

        def nearest(command: str, value: bytes) -> int:
            if command == "BD" and int.from_bytes(value, "big") == 31000:
                value = (31007).to_bytes(4, "big")
            return store(command, value)

        self.patch(self.node.registers, "store", nearest)
        self.assertEqual(self.client.ask((BAUD, 31000)), [(101, 31007)])
        self.assertEqual(self.node.uart.baud, 31007)

    def test_module_without_stop_bits(self) -> None:
        """S1 and S2 have no SB."""
        read = self.node.registers.read
        store = self.node.registers.store
        self.patch(
            self.node.registers,
            "read",
            lambda command: (ATStatus.INVALID_COMMAND, b"") if command == "SB" else read(command),
        )
        self.patch(
            self.node.registers,
            "store",
            lambda command, value: (
                ATStatus.INVALID_COMMAND if command == "SB" else store(command, value)
            ),
        )
        self.assertEqual(self.client.ask((STOP, 2), (PARITY, 3)), [(104, 1), (103, 3)])

    def test_flow_control(self) -> None:
        """RTS at D6 and CTS at D7; without it CTS stays what it is."""
        for value, answer, d6, d7 in (
            (3, 3, 1, 1),
            (1, 1, 0, 1),
            (14, 14, 0, 0),
            (16, 16, 0, 1),
        ):
            self.assertEqual(self.client.ask((CONTROL, value)), [(105, answer)])
            self.assertEqual((self.register("D6"), self.register("D7")), (d6, d7))

    def test_pin_that_is_something_else(self) -> None:
        self.node.registers.store("D6", b"\3")
        self.node.apply()
        self.assertEqual(self.client.ask((CONTROL, 3)), [(105, 1)])
        self.assertEqual(self.register("D6"), 3)

    def test_persist(self) -> None:
        self.gateway.stopService()
        self.start(persist=True)
        client = self.connect()
        client.open()
        client.ask((BAUD, 19200), (PARITY, 3))
        self.assertEqual(self.node.registers.flash_writes, 1)
        self.assertEqual(self.known.unwritten, frozenset())
        client.ask((BAUD, 19200), (PARITY, 3))
        self.assertEqual(self.node.registers.flash_writes, 1)

    def test_node_that_does_not_answer(self) -> None:
        self.node.reachable = False
        self.assertEqual(self.client.ask((BAUD, 19200), seconds=60.0), [])
        self.assertIn("does not say how its serial line is", "\n".join(self.log.lines("info")))
        self.node.reachable = True
        self.assertEqual(self.client.ask((BAUD, 19200)), [(101, 19200)])

    def test_answer_that_is_lost(self) -> None:
        """How the line is now is read when the next one asks, and it is paced as the slowest."""
        self.client.ask((BAUD, 9600))
        execute = self.node.execute

        def set_and_leave(command: str, value: bytes) -> tuple[int, bytes]:
            if value:
                self.network.call_later(0.0, setattr, self.node, "reachable", False)
            return execute(command, value)

        patched = self.patch(self.node, "execute", set_and_leave)
        self.client.ask((BAUD, 115200), seconds=60.0)
        patched.restore()
        self.node.reachable = True
        self.assertEqual(self.client.ask((BAUD, 0)), [(101, self.node.uart.baud)])

    def test_two_clients(self) -> None:
        """The line is one: each is answered, and the last word counts."""
        other = self.connect()
        other.open()
        self.client.ask((BAUD, 19200), seconds=0.0)
        self.assertEqual(other.ask((BAUD, 57600)), [(101, 57600)])
        self.client.read()
        self.assertEqual(self.client.answers, [(101, 19200)])
        self.assertEqual(self.client.ask((BAUD, 0)), [(101, 57600)])

    def test_client_that_may_not_write(self) -> None:
        """It is told how the line is, and sets nothing."""
        self.gateway.stopService()
        self.start(writers=NONE)
        client = self.connect()
        client.open()
        asked = ((BAUD, 19200), (CONTROL, 3), (CONTROL, 9))
        self.assertEqual(client.ask(*asked), [(101, 9600), (105, 1), (105, 8)])

    def test_too_many(self) -> None:
        self.client.ask(*((BAUD, 9600 + n) for n in range(MAX_WAITING + 1)))
        self.assertTrue(self.client.transport.is_cut)
        self.assertIn("asks for 65 settings", "\n".join(self.log.lines("warn")))

    def test_client_that_leaves_meanwhile(self) -> None:
        for seconds in (0.0, 0.03):
            client = self.connect()
            client.open()
            client.ask((BAUD, 19200), seconds=seconds)
            client.protocol.connectionLost()
        self.go_on(1.0)
        self.assertEqual(self.client.ask((BAUD, 0)), [(101, 19200)])

    def test_signature(self) -> None:
        client = self.client
        client.say(subnegotiation(COM_PORT, b"\0me"))
        client.say(subnegotiation(COM_PORT, b"\0"))
        ((command, text),) = client.answers
        assert isinstance(text, bytes)
        self.assertEqual(command, 100)
        self.assertRegex(text.decode(), r"^zbtwist [0-9.]+, ECHO \(00:13:a2:00:40:0a:3e:01\)$")


class StreamTests(SerialTestCase):
    """What becomes of bytes around a change."""

    def setUp(self) -> None:
        super().setUp()
        self.client = self.connect()
        self.client.open()
        self.client.ask((BAUD, 0))

    def change(self, before: bytes, after: bytes, seconds: float = 2.0) -> None:
        change = subnegotiation(COM_PORT, b"\1" + (19200).to_bytes(4, "big"))
        self.client.answers.clear()
        self.client.say(before + change + after, seconds)

    def heard_at(self) -> list[tuple[int, bytes]]:
        """Note the rate at which each packet came to the device."""
        heard: list[tuple[int, bytes]] = []
        self.patch(
            self.node,
            "serial_received",
            lambda data: heard.append((self.node.uart.baud, data)),
        )
        # The line holds what it calls.
        self.node.uart._device = lambda data: self.node.serial_received(data)
        return heard

    def test_each_at_its_rate(self) -> None:
        heard = self.heard_at()
        self.change(b"a" * 150, b"b" * 150)
        self.assertEqual(b"".join(data for rate, data in heard if rate == 9600), b"a" * 150)
        self.assertEqual(b"".join(data for rate, data in heard if rate == 19200), b"b" * 150)
        self.assertEqual(self.node.uart.spoiled_bytes, 0)
        self.assertEqual(self.client.answers, [(101, 19200)])

    def test_other_clients_wait(self) -> None:
        """What they have written before goes first, and what they write meanwhile waits."""
        heard = self.heard_at()
        other = self.connect()
        other.say(b"c" * 170, 0.05)
        self.client.ask((BAUD, 19200), seconds=0.05)
        self.assertEqual(self.client.answers, [])
        other.say(b"d" * 20)
        self.go_on(1.0)
        self.assertEqual([(rate, set(data)) for rate, data in heard][-1], (19200, {100}))
        self.assertEqual(b"".join(data for rate, data in heard if rate == 9600), b"c" * 170)
        self.assertEqual(self.node.uart.spoiled_bytes, 0)

    def test_pace_follows(self) -> None:
        """What is sent is never more than the line takes."""
        for baud in (1200, 115200):
            self.client.ask((BAUD, baud))
            self.node.heard.clear()
            began = self.reactor.seconds()
            self.client.say(b"x" * 2000, 2.0)
            while len(self.node.heard) < 2000 and self.reactor.seconds() < began + 60:
                self.go_on(0.1)
            self.assertEqual(len(self.node.heard), 2000)
            took = self.reactor.seconds() - began
            self.assertLess(took, 1.2 * max(2000 * 10 / baud, 2.0))
        self.assertEqual(self.node.uart.dropped_bytes, 0)

    def test_pace_that_a_person_says(self) -> None:
        """It counts until a client sets another rate."""
        self.gateway.stopService()
        self.start(pace=9600)
        client = self.connect()
        client.open()
        client.ask((BAUD, 1200))
        client.say(b"x" * 1000, 12.0)
        self.assertEqual((len(self.node.heard), self.node.uart.dropped_bytes), (1000, 0))

    def test_what_was_written_does_not_go_out(self) -> None:
        """The line stays as it is, and the client is told so."""
        self.node.fall_asleep(50.0)
        self.known.role = END_DEVICE
        self.client.say(b"x" * 100, 0.5)
        self.client.ask((BAUD, 19200), seconds=DRAIN_TIME - 1)
        self.assertEqual(self.client.answers, [])
        self.client.say(b"y" * 20, 2.0)
        self.assertEqual(self.client.answers, [(101, 9600)])
        self.assertIn("stays as it is", "\n".join(self.log.lines("info")))
        self.go_on(60.0)
        self.assertEqual(bytes(self.node.heard), b"x" * 100 + b"y" * 20)

    def test_purge(self) -> None:
        self.client.ask((BAUD, 1200))
        self.client.say(b"x" * 2000, 0.5)
        self.assertEqual(self.client.ask((PURGE, 2)), [(112, 2)])
        self.assertEqual(self.port.outbound.buffered, 0)
        self.assertEqual(self.port.outbound.bytes_lost, 0)
        self.go_on(5.0)
        self.assertLess(len(self.node.heard), 400)
        self.assertEqual(self.client.ask((PURGE, 9)), [(112, 9)])

    def test_suspend(self) -> None:
        self.client.say(subnegotiation(COM_PORT, bytes([SUSPEND])))
        self.node.send(b"one\xff")
        self.go_on(0.5)
        self.client.read()
        self.assertEqual(self.client.take(), b"")
        self.client.say(subnegotiation(COM_PORT, bytes([RESUME])))
        self.assertEqual(self.client.take(), b"one\xff")
        self.client.say(subnegotiation(COM_PORT, bytes([SUSPEND])))
        self.node.send(b"two")
        self.go_on(0.5)
        self.client.ask((PURGE, 1))
        self.client.say(subnegotiation(COM_PORT, bytes([RESUME])))
        self.node.send(b"three")
        self.client.say(b"", 0.5)
        self.assertEqual(self.client.take(), b"three")

    def test_suspended_for_too_long(self) -> None:
        self.client.say(subnegotiation(COM_PORT, bytes([SUSPEND])))
        for _ in range(MAX_SUSPENDED // 1000 + 1):
            self.port.deliver(bytes(1000))
        self.assertTrue(self.client.transport.is_cut)
        self.assertIn("suspended the flow", "\n".join(self.log.lines("warn")))

    def test_seven_bits(self) -> None:
        """The bit of the parity is made here, and taken away again."""
        asked = ((SIZE, 7), (PARITY, 3))
        self.assertEqual(self.client.ask(*asked), [(102, 7), (103, 3)])
        self.assertEqual(str(self.node.uart), "9600 8N1")
        self.client.say(b"AC")
        self.assertEqual(bytes(self.node.heard), b"\x41\xc3")
        self.assertEqual(self.client.take(), b"AC")
        self.assertEqual(self.client.ask((SIZE, 0), (PARITY, 0)), [(102, 7), (103, 3)])
        # Two stop bits are the module's.
        self.assertEqual(self.client.ask((STOP, 2)), [(104, 2)])
        self.assertEqual(str(self.node.uart), "9600 8N2")
        # A wrong bit is told to who wants to know.
        self.assertEqual(self.client.ask((LINE_MASK, 4)), [(110, 4)])
        self.client.answers.clear()
        self.node.send(b"\x43")
        self.client.say(b"", 0.5)
        self.assertEqual((self.client.take(), self.client.answers), (b"C", [(106, 4)]))
        self.assertEqual(self.client.ask((SIZE, 8), (PARITY, 1)), [(102, 8), (103, 1)])
        self.client.say(b"\xc3")
        self.assertEqual(self.client.take(), b"\xc3")

    def test_seven_bits_one_after_the_other(self) -> None:
        """As pyserial asks when one is set: for all of them. 7N1 must not be on the way."""
        for asked, answer in (
            ((7, 1), (8, 1)),
            ((8, 3), (8, 3)),
            ((7, 3), (7, 3)),
            ((8, 3), (8, 3)),
            ((8, 1), (8, 1)),
        ):
            size, parity = asked
            answers = self.client.ask((SIZE, size), (PARITY, parity), (STOP, 1))
            self.assertEqual(answers, [(102, answer[0]), (103, answer[1]), (104, 1)], asked)

    def test_seven_bits_end_with_the_last_client(self) -> None:
        self.client.ask((SIZE, 7), (PARITY, 3))
        self.client.protocol.connectionLost()
        client = self.connect()
        client.open()
        self.assertEqual(client.ask((SIZE, 0)), [(102, 8)])

    def test_turns(self) -> None:
        """Where clients take turns at the node, its line is set all the same, and each hears its
        own answers.
        """
        self.gateway.stopService()
        self.start(turns=True)
        one, other = self.connect(), self.connect()
        for client in (one, other):
            client.open()
        one.say(b"one\xff\xff" + subnegotiation(COM_PORT, b"\1" + (19200).to_bytes(4, "big")), 0.0)
        other.say(b"other", 3.0)
        one.read()
        self.assertEqual((one.take(), other.take()), (b"one\xff", b"other"))
        self.assertEqual((one.answers, self.node.uart.baud), ([(101, 19200)], 19200))

    def test_line_state(self) -> None:
        self.assertEqual(self.client.ask((LINE, 0)), [(106, 0x60)])
        self.client.say(b"x" * 200, 0.0)
        self.assertEqual(self.client.ask((LINE, 0), seconds=0.0), [(106, 0)])

    @repeatable(25)
    @given(
        st.lists(
            st.one_of(
                st.binary(max_size=30),
                st.tuples(st.integers(0, 13), st.integers(0, 255)).map(
                    lambda one: subnegotiation(COM_PORT, bytes(one))
                ),
                st.integers(0, 1 << 32 - 1).map(
                    lambda baud: subnegotiation(COM_PORT, b"\1" + baud.to_bytes(4, "big"))
                ),
                st.sampled_from(
                    (bytes((IAC, SB, COM_PORT)), bytes((IAC, SE)), bytes((IAC, WILL)), b"\xff")
                ),
            ),
            max_size=12,
        ),
        st.integers(1, 50),
    )
    def test_whatever_a_client_says(self, said: list[bytes], size: int) -> None:
        """It costs that one its connection at most: another one is served as before."""
        client = self.connect()
        client.open()
        whole = b"".join(said)
        for start in range(0, len(whole), size):
            if not client.transport.is_cut:
                client.say(whole[start : start + size], 0.02)
        self.go_on(3.0)
        client.protocol.connectionLost()
        self.go_on(0.5)
        self.assertEqual(self.client.ask((BAUD, 9600), (PARITY, 1)), [(101, 9600), (103, 1)])
        self.client.take()
        self.assertEqual(self.flushLoggedErrors(), [])


class ModemTests(SerialTestCase):
    """Lines that are pins of the node."""

    def setUp(self) -> None:
        lines = "dtr=D4,rts=D3:high,break=D2,cts=D1,ri=D0:high"
        self.start(modem_lines=modem_lines(lines, Context(None, "/")))
        for command, value in (("D1", 3), ("D0", 3), ("IC", 3)):
            size = 2 if command == "IC" else 1
            self.node.registers.store(command, value.to_bytes(size, "big"))
        self.node.inputs["D0"] = False
        self.node.apply()
        self.client = self.connect()

    def test_outputs(self) -> None:
        self.client.open()
        for value, pin, mode in (
            (8, "D4", 4),
            (9, "D4", 5),
            (11, "D3", 5),
            (12, "D3", 4),
            (5, "D2", 4),
            (6, "D2", 5),
        ):
            self.assertEqual(self.client.ask((CONTROL, value)), [(105, value)])
            self.assertEqual(self.register(pin), mode)
        queries = ((CONTROL, 4), (CONTROL, 7), (CONTROL, 10))
        self.assertEqual(self.client.ask(*queries), [(105, 6), (105, 9), (105, 12)])

    def test_inputs(self) -> None:
        """They are read when a client comes, and told when they change."""
        self.client.say(PYSERIAL)
        # Before they were read, and then: an open input is high, and so off.
        self.assertEqual(self.client.answers, [(107, 0xBB), (107, 0xA1)])
        for pin, high, told in (
            ("D1", False, 0xB1),
            ("D1", True, 0xA1),
            ("D0", True, 0xE0),
            ("D0", False, 0xA4),
        ):
            self.client.answers.clear()
            self.node.set_input(pin, high)
            self.client.say(b"", 0.5)
            self.assertEqual(self.client.answers, [(107, told)])
        self.assertEqual(self.client.ask((MODEM, 0)), [(107, 0xA0)])

    def test_mask(self) -> None:
        self.client.open()
        self.assertEqual(self.client.ask((MODEM_MASK, 0x80)), [(111, 0x80), (107, 0x80)])
        self.client.answers.clear()
        self.node.set_input("D1", False)
        self.client.say(b"", 0.5)
        self.assertEqual(self.client.answers, [])
        self.assertEqual(self.client.ask((MODEM_MASK, 0)), [(111, 0)])

    def test_node_that_does_not_answer(self) -> None:
        """A pin that was not set is not said to be."""
        self.client.open()
        self.client.ask((CONTROL, 8))
        self.node.reachable = False
        self.assertEqual(self.client.ask((CONTROL, 9), seconds=30.0), [(105, 8)])

    def test_break_of_telnet(self) -> None:
        self.client.open()
        self.client.say(bytes((IAC, BREAK)), 0.2)
        self.assertEqual(self.register("D2"), 4)
        self.go_on(0.5)
        self.assertEqual(self.register("D2"), 5)

    def test_break_ends_with_its_client(self) -> None:
        self.client.open()
        self.client.ask((CONTROL, 5))
        self.client.protocol.connectionLost()
        self.go_on(0.5)
        self.assertEqual(self.register("D2"), 5)

    def test_without_pins(self) -> None:
        """All is answered as it was asked for, and the node hears nothing of it."""
        self.gateway.stopService()
        self.start()
        client = self.connect()
        client.open()
        told: list[str] = []
        self.patch(self.node, "execute", lambda command, value: told.append(command))
        for value in (5, 6, 8, 9, 11, 12):
            self.assertEqual(client.ask((CONTROL, value)), [(105, value)])
        queries = ((CONTROL, 4), (CONTROL, 7), (CONTROL, 10))
        self.assertEqual(client.ask(*queries), [(105, 6), (105, 9), (105, 12)])
        client.say(bytes((IAC, BREAK)))
        self.assertEqual(told, [])
