"""Check that what is built can be installed and run outside the source tree.

    python .ci/packaging.py DIST

DIST holds one sdist and one wheel. They are built again from the sdist, elsewhere, and must be the
same to the byte. The wheel is installed into a fresh environment in a temporary directory; from
there the gateway is started on a simulated network, asked what it has, and stopped.
"""

from __future__ import annotations

import io
import os
import re
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any
from xmlrpc.client import ServerProxy

from docutils.core import publish_string
from repack import epoch

#: How long the gateway may take until it has found all simulated nodes, in seconds.
START_LIMIT = 60.0

#: How long it may take to stop, in seconds.
STOP_LIMIT = 2.0

NODES = 3

FIND_ENDPOINTS = """
from twisted.internet import reactor
from twisted.internet.endpoints import clientFromString
for text in ("sim:", "serial:/dev/ttyUSB0:baudrate=9600"):
    print(text, clientFromString(reactor, text))
"""


def check(condition: bool, sentence: str) -> None:
    if not condition:
        raise SystemExit(f"packaging: {sentence}")
    print(f"packaging: ok: {sentence}")


def check_contents(sdist: Path, wheel: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for name in (
        "LICENSE",
        "Makefile",
        "README.rst",
        "tests/__init__.py",
        "docs/examples/list_ports.py",
        "packaging/docker/Dockerfile",
        "packaging/systemd/zbgate@.service",
        "packaging/udev/70-zbgate.rules",
    ):
        check(name in names, f"the sdist has {name}")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for name in ("zbtwist/py.typed", "zbtwist/tap.py", "twisted/plugins/zbtwist_plugin.py"):
        check(name in names, f"the wheel has {name}")
    plugins = {name for name in names if name.startswith("twisted/")}
    check(len(plugins) == 1, "the wheel has no other file in Twisted's packages")
    check(not any(name.startswith("tests/") for name in names), "the wheel has no tests")


def check_again(sdist: Path, wheel: Path) -> None:
    """Build from the sdist, in a directory with a blank in its name and for nobody else to read."""
    again = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch())}
    with tempfile.TemporaryDirectory(prefix="elsewhere and again ") as name:
        with tarfile.open(sdist) as archive:
            archive.extractall(name)  # noqa: S202  # it is what was built a moment ago
        (source,) = Path(name).iterdir()
        # setuptools puts it into every sdist, and lists it only if it is there already.
        (source / "setup.cfg").unlink()
        for command in (["-m", "build", "--outdir", "dist", "."], [".ci/repack.py", "dist"]):
            built = subprocess.run(
                [sys.executable, *command],
                cwd=source,
                env=again,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                umask=0o077,
            )
            told = built.stdout[-2000:] if built.returncode else ""
            check(not built.returncode, f"python {command[0]} works in the sdist {told}")
        for one in (sdist, wheel):
            other = source / "dist" / one.name
            check(one.read_bytes() == other.read_bytes(), f"{one.name} is reproducible")


def check_description(wheel: Path) -> None:
    """What a package index shows must be right there, and lead nowhere that is only here."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        description = archive.read(name).decode().partition("\n\n")[2]
    told = io.StringIO()
    page = publish_string(
        description, writer="html5", settings_overrides={"warning_stream": told}
    ).decode()
    check(not told.getvalue(), f"the description is without mistakes {told.getvalue()}")
    links = re.findall(r'(?:href|src)="([^"]*)"', page)
    astray = [link for link in links if not re.match(r"https?:|#|mailto:|data:", link)]
    check(not astray, f"the description has no link that leads astray {' '.join(astray)}")


def free_ports(count: int) -> list[int]:
    """Find TCP ports that were free a moment ago, `count` of them in a row."""
    for first in range(40000, 60000, count):
        try:
            for port in range(first, first + count):
                with socket.socket() as listener:
                    listener.bind(("127.0.0.1", port))
        except OSError:
            continue
        return list(range(first, first + count))
    raise SystemExit("packaging: no free TCP ports")


def wait_for_nodes(url: str, gateway: subprocess.Popen[bytes]) -> list[dict[str, object]]:
    """Poll `list()` until all nodes have ports."""
    deadline = time.monotonic() + START_LIMIT
    nodes: list[dict[str, object]] = []
    while time.monotonic() < deadline and gateway.poll() is None:
        with suppress(ConnectionRefusedError):
            nodes = ServerProxy(url).list()  # type: ignore[assignment]
        if len(nodes) == NODES and all(node["tcp_port"] for node in nodes):
            break
        time.sleep(0.2)
    return nodes


def check_gateway(directory: Path, binaries: Path, **user: Any) -> None:
    """
    @param user: who runs it, as `subprocess.Popen` takes it.
    """
    control, base, *_ = free_ports(2 + NODES)
    log = directory / "gateway.log"
    command = [binaries / "zbgate", "--serial", "sim:"]
    command += ["--control", str(control), "--base-port", str(base)]
    with log.open("wb") as output:
        gateway = subprocess.Popen(command, cwd=directory, stdout=output, stderr=output, **user)
    try:
        nodes = wait_for_nodes(f"http://127.0.0.1:{control}/RPC2", gateway)
        check(len(nodes) == NODES, f"list() has {NODES} nodes")
        check(all(node["tcp_port"] for node in nodes), "every node has a TCP port")
        started = time.monotonic()
        gateway.terminate()
        status = gateway.wait(STOP_LIMIT)
        check(status == 0, f"SIGTERM ends it within {STOP_LIMIT} s")
        print(f"packaging: it took {time.monotonic() - started:.2f} s")
    except BaseException:
        print(log.read_text(errors="replace"), file=sys.stderr)
        raise
    finally:
        gateway.kill()
        gateway.wait()
    for word in ("Traceback", "plugin cache"):
        check(word not in log.read_text(errors="replace"), f"its log has no {word}")


def check_unprivileged(directory: Path, binaries: Path) -> None:
    """Run it as who may not write where it is installed."""
    (plugins,) = (binaries.parent / "lib").glob("python*/site-packages/twisted/plugins")
    for cache in plugins.glob("*.cache"):
        cache.unlink()
    plugins.chmod(0o555)
    directory.chmod(0o755)
    nobody = {"user": "nobody", "extra_groups": []} if os.geteuid() == 0 else {}
    try:
        subprocess.run([binaries / "python", "-c", ""], check=True, **nobody)
    except (OSError, subprocess.CalledProcessError):
        print("packaging: left out: another user may not run this Python")
    else:
        check_gateway(directory, binaries, **nobody)
    finally:
        plugins.chmod(0o755)


def main(dist: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    (wheel,) = dist.glob("*.whl")
    check_contents(sdist, wheel)
    check_description(wheel)
    check_again(sdist.resolve(), wheel.resolve())
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        venv.create(directory / "env", with_pip=True)
        binaries = directory / "env" / "bin"

        def run(*command: str | Path) -> str:
            result = subprocess.run(
                [binaries / command[0], *command[1:]],
                cwd=directory,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            if result.returncode:
                print(result.stdout, file=sys.stderr)
            shown = " ".join(map(str, command))
            check(result.returncode == 0, f"{shown} succeeds")
            check("Traceback" not in result.stdout, f"{shown} prints no traceback")
            return result.stdout

        run("pip", "--disable-pip-version-check", "--quiet", "install", wheel.resolve())
        check("zbgate" in run("twistd", "--help"), "twistd knows zbgate")
        check("--serial" in run("twistd", "zbgate", "--help"), "zbgate explains its options")
        (directory / "find_endpoints.py").write_text(FIND_ENDPOINTS)
        run("python", "find_endpoints.py")
        check_gateway(directory, binaries)
        check_unprivileged(directory, binaries)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))
