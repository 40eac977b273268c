"""Ask whether anything that the gateway needs when it runs has a vulnerability that is known.

    python .ci/audit.py

pip-audit asks an index on the network. Where that cannot be reached, nothing is known, and this
says so: it is no failure, and no success that anybody should take for one.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from dependencies import needed

#: Seconds that the index may take for all of them.
PATIENCE = 60.0

#: What is known and does not concern the gateway: the identifier of each, and why.
ACCEPTED: dict[str, str] = {}


def ask() -> tuple[list[dict[str, Any]] | None, str]:
    """Return what is said of each package, or None and why nothing is."""
    with tempfile.TemporaryDirectory() as directory:
        pinned = Path(directory, "requirements.txt")
        pinned.write_text(
            "".join(f"{name}=={package.version}\n" for name, package in needed().items())
        )
        command = (sys.executable, "-m", "pip_audit", "--requirement", str(pinned))
        options = ("--no-deps", "--disable-pip", "--format=json", "--progress-spinner=off")
        try:
            done = subprocess.run(
                [*command, *options], capture_output=True, text=True, timeout=PATIENCE
            )
        except subprocess.TimeoutExpired:
            return None, f"it does not answer within {PATIENCE:g} s"
    try:
        told: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return None, (done.stderr.strip().splitlines() or ["pip-audit says nothing"])[-1]
    return told, ""


def main() -> None:
    told, reason = ask()
    if told is None:
        print(f"audit: left out: the index of vulnerabilities cannot be asked: {reason}")
        return
    # It calls what it could not ask about "no known vulnerabilities" as well.
    asked = [package for package in told if "skip_reason" not in package]
    unknown = [package["name"] for package in told if "skip_reason" in package]
    found = {
        f"{package['name']} {package['version']}: {each['id']} (mended in "
        f"{', '.join(each['fix_versions']) or 'no version yet'})"
        for package in asked
        for each in package["vulns"]
        if each["id"] not in ACCEPTED
    }
    if found:
        raise SystemExit("audit: " + "\naudit: ".join(sorted(found)))
    if unknown:
        print(f"audit: left out, since the index does not answer about them: {', '.join(unknown)}")
    if asked:
        print(f"audit: ok: nothing is known of the {len(asked)} packages that were asked about")


if __name__ == "__main__":
    main()
