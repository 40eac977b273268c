"""Make what was built the same to the byte, whoever built it, where and when.

    python .ci/repack.py DIST

DIST holds one sdist and one wheel. What is in them stays; their entries get the same owner, the
same modes, and the time of `SOURCE_DATE_EPOCH` (https://reproducible-builds.org/specs), which is
that of the last commit unless it is set.
"""

from __future__ import annotations

import gzip
import io
import os
import stat
import subprocess
import sys
import tarfile
import time
import zipfile
from contextlib import suppress
from pathlib import Path

#: What a zip file can say at the least: 1980.
_EARLIEST = 315532800


def epoch() -> int:
    """Return the time of the build, seconds since 1970."""
    text = os.environ.get("SOURCE_DATE_EPOCH")
    if text is None:
        # An sdist is in no repository, and where it is unpacked there may be no git.
        with suppress(FileNotFoundError):
            asked = ["git", "log", "-1", "--format=%ct"]
            text = subprocess.run(asked, capture_output=True, text=True).stdout.strip()
    return max(int(text or _EARLIEST), _EARLIEST)


def mode_of(is_program: bool) -> int:
    return 0o755 if is_program else 0o644


def repack_sdist(path: Path, moment: int) -> None:
    packed = io.BytesIO()
    with tarfile.open(path) as old, tarfile.open(fileobj=packed, mode="w") as new:
        for entry in sorted(old.getmembers(), key=lambda entry: entry.name):
            content = old.extractfile(entry) if entry.isfile() else None
            entry.mode = mode_of(entry.isdir() or bool(entry.mode & stat.S_IXUSR))
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = ""
            entry.mtime = moment
            # Times in fractions of seconds, and whatever else the file system knew.
            entry.pax_headers = {}
            new.addfile(entry, content)
    with path.open("wb") as file, gzip.GzipFile("", "wb", 9, file, moment) as compressed:
        compressed.write(packed.getvalue())


def repack_wheel(path: Path, moment: int) -> None:
    with zipfile.ZipFile(path) as old:
        entries = [(entry, old.read(entry)) for entry in old.infolist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for old_entry, content in entries:
            entry = zipfile.ZipInfo(old_entry.filename, time.gmtime(moment)[:6])
            is_program = bool(old_entry.external_attr >> 16 & stat.S_IXUSR)
            entry.external_attr = (stat.S_IFREG | mode_of(is_program)) << 16
            entry.create_system = 3
            new.writestr(entry, content, zipfile.ZIP_DEFLATED)


def main(dist: Path) -> None:
    moment = epoch()
    (sdist,) = dist.glob("*.tar.gz")
    (wheel,) = dist.glob("*.whl")
    repack_sdist(sdist, moment)
    repack_wheel(wheel, moment)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))
