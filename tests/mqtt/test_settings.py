from __future__ import annotations

from importlib import util
from pathlib import Path

from tests.config.test_load import ConfigTestCase
from zbtwist.config.settings import difference
from zbtwist.mqtt import settings as module
from zbtwist.mqtt.settings import NOTHING, STREAM, VALUES, MQTTSettings


class MQTTSettingsTests(ConfigTestCase):
    def section(self, text: str) -> MQTTSettings:
        return self.load_file(f'serial = "sim:"\n[mqtt]\n{text}').mqtt

    def wrong(self, text: str) -> list[str]:
        return self.file_mistakes(f'serial = "sim:"\n[mqtt]\n{text}')

    def test_none(self) -> None:
        self.assertEqual(self.load_file('serial = "sim:"').mqtt, MQTTSettings())
        self.assertEqual(self.section("keepalive = 60"), MQTTSettings())

    def test_everything(self) -> None:
        password = self.write("secret\n")
        found = self.section(
            'broker = "tcp:h:1"\nbase = "a/b"\nsite = "house 7"\nuser = "me"\nkeepalive = 5\n'
            f'password-file = "{password}"\nhome-assistant = true\nnodes = "off"'
        )
        wanted = MQTTSettings(
            broker="tcp:h:1",
            base="a/b",
            site="house 7",
            user="me",
            password_file=password,
            keepalive=5,
            home_assistant=True,
            nodes=NOTHING,
        )
        self.assertEqual(found, wanted)

    def test_brokers(self) -> None:
        for text, endpoint in (
            ("broker.example", "tcp:broker.example:1883"),
            ("broker.example:1884", "tcp:broker.example:1884"),
            ("tcp:broker.example", "tcp:broker.example:1883"),
            ("tcp:broker.example:1884", "tcp:broker.example:1884"),
            ("tls:broker.example", "tls:broker.example:8883"),
            ("tls:10.0.0.1:8884", "tls:10.0.0.1:8884"),
            ("mqtt://broker.example", "tcp:broker.example:1883"),
            ("MQTT://broker.example:1/", "tcp:broker.example:1"),
            ("mqtts://broker.example", "tls:broker.example:8883"),
            ("ssl://[::1]:1", r"tls:\:\:1:1"),
            ("::1", r"tcp:\:\:1:1883"),
            ("[::1]:1884", r"tcp:\:\:1:1884"),
            ("unix:/run/broker", "unix:/run/broker"),
        ):
            self.assertEqual(self.section(f"broker = '{text}'").broker, endpoint, text)

    def test_wrong_brokers(self) -> None:
        for text, words in (
            ("", "must be tcp:HOST:PORT"),
            ("a b", "must be tcp:HOST:PORT"),
            ("tcp:", "is no broker"),
            ("tcp:h:70000", "70000 is no TCP port"),
            ("tcp:h:0", "0 is no TCP port"),
            ("tcp:h:x", "its port must be a number"),
            ("h:99999", "99999 is no TCP port"),
            ("ws://h", "no URL that is known here"),
            ("http://h/mqtt", "no URL that is known here"),
            ("mqtt://h/topic", "no URL that is known here"),
            ("fnord:1:2", "is no broker"),
        ):
            (mistake,) = self.wrong(f"broker = '{text}'")
            self.assertTrue(mistake.startswith("FILE:3: mqtt.broker "), mistake)
            self.assertIn(words, mistake)

    def test_a_password_in_a_url_is_not_shown(self) -> None:
        (mistake,) = self.wrong("broker = 'mqtt://me:secret@h'")
        self.assertIn("write it as user", mistake)
        self.assertNotIn("secret", mistake)

    def test_what_is_known_of_the_broker(self) -> None:
        for text, place, is_encrypted, is_tls in (
            ("tcp:h:1", "h:1", False, False),
            (r"tcp:\:\:1:1", "[::1]:1", True, False),
            ("tcp:localhost:1", "localhost:1", True, False),
            ("tls:h:1", "h:1", True, True),
            ("tls:h:1:trustRoots=/x", "tls:h:1:trustRoots=/x", True, False),
            ("unix:/x", "unix:/x", True, False),
        ):
            found = MQTTSettings(broker=text)
            self.assertEqual(
                (found.place, found.is_encrypted, found.is_tls), (place, is_encrypted, is_tls)
            )

    def test_names_in_topics(self) -> None:
        for line in (
            *('base = ""', 'base = "/a"', 'base = "a/"', 'base = "a//b"', 'base = "a/+"'),
            *('base = "$SYS"', 'base = "a#"', f'base = "{"x" * 201}"', 'base = "a\\u0007"'),
            *('site = "hubs"', 'site = "a/b"', 'site = "+"', 'site = " a"', f'site = "{"x" * 65}"'),
            *("keepalive = 4", "keepalive = 3601", 'nodes = "all"', 'home-assistant = "yes"'),
        ):
            (mistake,) = self.wrong(f'broker = "h"\n{line}')
            self.assertTrue(mistake.startswith(f"FILE:4: mqtt.{line.split()[0]} "), mistake)
        self.assertEqual(self.section('broker = "h"\nsite = ""').site, "")

    def test_options_that_need_others(self) -> None:
        self.assertEqual(
            " ".join(self.wrong('user = "me"')),
            "FILE:2: mqtt has no broker: name one, such as tcp:HOST:1883, or take the section out.",
        )
        self.assertEqual(
            self.wrong('broker = "h"\nca = "/ca"'),
            ["FILE:4: mqtt.ca is for a broker with TLS: tls:HOST:PORT."],
        )
        self.assertEqual(
            self.wrong('broker = "tls:h"\nkey = "/key"'),
            ["FILE:4: mqtt.key needs a certificate."],
        )

    def test_files_are_looked_at(self) -> None:
        (mistake,) = self.wrong('broker = "h"\npassword-file = "/nowhere/p"')
        self.assertEqual(
            mistake,
            "FILE:4: mqtt.password-file names /nowhere/p, which cannot be read: No such file or "
            "directory.",
        )
        path = self.write("no certificate")
        (mistake,) = self.wrong(f'broker = "tls:h"\nca = "{path}"')
        self.assertEqual(
            mistake, f"FILE:4: mqtt.ca names {path}, which has no certificate in PEM form."
        )

    def test_without_the_package(self) -> None:
        self.patch(module, "find_spec", lambda name: None)
        (mistake,) = self.wrong('broker = "h"')
        self.assertIn("install zbtwist again as before, with '.[mqtt]'", mistake)
        self.assertIsNotNone(util.find_spec("mqtt5"))

    def test_what_is_said_of_nodes(self) -> None:
        content = 'serial = "sim:"\n[mqtt]\nbroker = "h"\nnodes = "off"\n[[node]]\nlabel = "A"\n'
        settings = self.load_file(content + 'mqtt = "stream"')
        (node,) = settings.nodes
        assert node.port_settings is not None
        self.assertEqual(settings.port_settings.mqtt, NOTHING)
        self.assertEqual(node.port_settings.mqtt, STREAM)
        self.assertEqual(self.load_file('serial = "sim:"').port_settings.mqtt, VALUES)
        (mistake,) = self.file_mistakes(content + 'mqtt = "all"')
        self.assertEqual(mistake, "FILE:7: node[1].mqtt must be values, stream or off, not 'all'.")

    def test_it_is_no_option_of_all(self) -> None:
        (mistake,) = self.file_mistakes('serial = "sim:"\nmqtt = "stream"')
        self.assertEqual(mistake, "FILE:2: mqtt must be a table, [mqtt], not text in quotes.")

    def test_what_has_changed(self) -> None:
        path = self.write('serial = "sim:"\n[mqtt]\nbroker = "h"')
        old = self.load(serial=None, config=path)
        Path(path).write_text('serial = "sim:"\n[mqtt]\nbroker = "i"')
        self.assertEqual(difference(old, self.load(serial=None, config=path)), {"mqtt"})
