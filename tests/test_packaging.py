"""What is in packaging/: units for systemd, rules for udev, a Dockerfile."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.pages import DOCS, ROOT, blocks_of
from tests.test_docs import is_said
from zbtwist.app.command import CONFIG_ERROR
from zbtwist.cli.client import Refused, Unreachable

PACKAGING = ROOT / "packaging"
UNIT = PACKAGING / "systemd" / "zbgate.service"
TEMPLATE = PACKAGING / "systemd" / "zbgate@.service"
RULES = PACKAGING / "udev" / "70-zbgate.rules"
DOCKERFILE = PACKAGING / "docker" / "Dockerfile"

#: The most that `systemd-analyze security` may say.
EXPOSURE = 2.0

#: The majors of serial ports (devices.txt of Linux): ttyUSB, ttyACM, ttyAMA.
MAJORS = ("188", "166", "204")


def settings_of(unit: Path) -> dict[str, list[str]]:
    """Return the values of a unit's settings, by ``Section.Name``."""
    found = defaultdict(list)
    section = ""
    for line in unit.read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found[f"{section}.{name}"].append(value)
    return dict(found)


class UnitTests(SynchronousTestCase):
    def analyze(self, *arguments: str, unit: Path = UNIT) -> subprocess.CompletedProcess[str]:
        """Run systemd-analyze on a copy of a unit whose program is there."""
        program = shutil.which("systemd-analyze")
        if program is None:
            raise SkipTest("systemd-analyze is not here")
        with tempfile.TemporaryDirectory(prefix="zbtwist-test-") as directory:
            name = unit.name.replace("@.", "@meters.")
            copy = Path(directory, name)
            copy.write_text(unit.read_text().replace("/opt/zbtwist/bin/zbgate", sys.executable))
            return subprocess.run(
                [program, *arguments, str(copy)],
                capture_output=True,
                text=True,
                env={**os.environ, "LC_ALL": "C.UTF-8"},
            )

    def test_verify(self) -> None:
        for unit in (UNIT, TEMPLATE):
            done = self.analyze("verify", unit=unit)
            told = done.stdout + done.stderr
            # Of other units of this computer it says what it likes.
            ours = [line for line in told.splitlines() if "zbgate" in line]
            self.assertEqual(ours, [])

    def test_exposure(self) -> None:
        for unit in (UNIT, TEMPLATE):
            done = self.analyze("security", "--offline=true", "--no-pager", unit=unit)
            if "unrecognized option" in done.stderr:
                raise SkipTest("this systemd-analyze does not look at files")
            found = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
            assert found is not None, done.stdout + done.stderr
            self.assertLessEqual(float(found[1]), EXPOSURE)

    def test_what_it_says_of_the_program(self) -> None:
        """What the program does, and what the page says of the unit."""
        settings = settings_of(UNIT)
        self.assertEqual(settings["Service.Type"], ["notify"])
        self.assertEqual(settings["Service.RestartPreventExitStatus"], [str(CONFIG_ERROR)])
        self.assertEqual(settings["Service.WatchdogSec"], ["60"])
        self.assertEqual(settings["Service.ExecReload"], ["/bin/kill -HUP $MAINPID"])
        self.assertEqual(settings["Service.StateDirectory"], ["zbtwist"])

    def test_what_it_needs(self) -> None:
        """What would be safer, and breaks something."""
        for unit in (UNIT, TEMPLATE):
            settings = settings_of(unit)
            # Serial ports whose driver is loaded later have to be allowed by number.
            self.assertEqual(
                settings["Service.DeviceAllow"], [f"char-{major} rw" for major in MAJORS]
            )
            for name in (
                "PrivateDevices",  # no serial ports
                "PrivateUsers",  # not the group of theirs
                "ProcSubset",  # no /proc/sys/net/ipv4/ip_local_port_range
                "MemoryDenyWriteExecute",  # no TLS
                "PrivateNetwork",
            ):
                self.assertNotIn(f"Service.{name}", settings)

    def test_template(self) -> None:
        """It is the same, for many: each has its configuration and its state, and none is within
        that of another, which would be given to another user with it.
        """
        one, many = settings_of(UNIT), settings_of(TEMPLATE)
        self.assertEqual(many.pop("Service.StateDirectory"), ["zbtwist-%i"])
        self.assertEqual(one.pop("Service.StateDirectory"), ["zbtwist"])
        self.assertIn("%i", many.pop("Unit.Description")[0])
        del one["Unit.Description"]
        (command,) = one.pop("Service.ExecStart")
        self.assertEqual(
            many.pop("Service.ExecStart"), [command.replace("zbtwist.toml", "%i.toml")]
        )
        self.assertEqual(many, one)


class RulesTests(SynchronousTestCase):
    def rules(self) -> list[str]:
        """Return each rule, also those that are commented out."""
        lines = (line.removeprefix("#") for line in RULES.read_text().splitlines())
        return [line for line in lines if re.match(r"[A-Z]+[=!{]", line)]

    def test_form(self) -> None:
        """Keys that udev knows, with an operator and a value in quotes; see udev(7)."""
        match = r"(ACTION|SUBSYSTEMS?|DRIVER|KERNELS?|TAG|ATTRS?\{\w+\})(==|!=)"
        assign = r"(GOTO|LABEL|GROUP|MODE|ATTR\{\w+\}|ENV\{\w+\})=|(SYMLINK|TAG)\+="
        self.assertGreater(len(self.rules()), 4)
        for rule in self.rules():
            for part in rule.split(", "):
                self.assertRegex(part, rf'^({match}|{assign})"[^"]+"$')

    def test_order(self) -> None:
        """After the rules that give all serial ports a group, before ModemManager's."""
        number = int(RULES.name.partition("-")[0])
        self.assertTrue(60 < number < 77)

    def test_group(self) -> None:
        """It is the one that the unit is in."""
        (group,) = settings_of(UNIT)["Service.SupplementaryGroups"]
        self.assertIn(f'GROUP="{group}"', RULES.read_text())

    def test_goto(self) -> None:
        text = RULES.read_text()
        self.assertEqual(
            set(re.findall(r'GOTO="(\w+)"', text)), set(re.findall(r'LABEL="(\w+)"', text))
        )


class DockerfileTests(SynchronousTestCase):
    def test_nobody(self) -> None:
        text = DOCKERFILE.read_text()
        (user,) = re.findall(r"^USER (.+)$", text, re.MULTILINE)
        self.assertEqual(user, "65534:65534")
        # Nothing is done as root behind that.
        behind = text.split("USER ", 1)[1]
        self.assertNotRegex(behind, r"(?m)^(RUN|COPY|ADD) ")

    def test_health(self) -> None:
        """As the shell judges what zbctl ends with: a gateway that wants a password answers."""
        (command,) = re.findall(r"^HEALTHCHECK .*? CMD (.+)$", DOCKERFILE.read_text(), re.MULTILINE)
        for status, health in ((0, 0), (Refused.exit_code, 0), (Unreachable.exit_code, 1)):
            done = subprocess.run(["/bin/sh", "-c", f"zbctl() {{ return {status}; }}; {command}"])
            self.assertEqual(done.returncode, health, status)

    def test_packages(self) -> None:
        """It has all that the gateway may need: who runs it cannot add any."""
        (extras,) = re.findall(r"'\.\[(.+)\]'", DOCKERFILE.read_text())
        for extra in ("argon2", "mqtt", "tls", "zeroconf"):
            self.assertIn(extra, extras.split(","))

    def test_state_is_in_the_volume(self) -> None:
        text = DOCKERFILE.read_text()
        (volume,) = re.findall(r"^VOLUME (.+)$", text, re.MULTILINE)
        self.assertIn(f"STATE_DIRECTORY={volume}", text)
        self.assertIn(f"--owner=65534 --group=65534 --mode=0700 {volume}", text)


class PageTests(SynchronousTestCase):
    """docs/service.rst"""

    page = DOCS / "service.rst"

    def test_check(self) -> None:
        """What it shows of --check is what that says."""
        (block,) = (
            block for block in blocks_of(self.page) if block.text.startswith("Configuration:")
        )
        # A line of a node has few words, and none of its own.
        lines = [line for line in block.lines if not line.startswith(" ")]
        self.assertGreater(len(lines), 4)
        for line in lines:
            self.assertTrue(is_said(line), line)

    def test_files(self) -> None:
        """What the commands install is there."""
        text = self.page.read_text()
        named = set(re.findall(r"(?<!/)\b(?:packaging|docs)/[\w./@-]+\w", text))
        self.assertIn("packaging/systemd/zbgate.service", named)
        for name in named:
            self.assertTrue((ROOT / name).exists(), name)
