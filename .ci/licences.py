"""Check the licences of all that the gateway needs when it runs.

    python .ci/licences.py

Whoever gives the gateway away gives these away, too. A licence that nobody has thought about yet
is a mistake here: look at what it asks for, then add it to the list, or do without the package.
"""

from __future__ import annotations

import re
from importlib.metadata import Distribution

from dependencies import needed

#: What asks for no more than to be named, or for the source of the package itself (MPL).
ALLOWED = (
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "MIT",
    "MPL-2.0",
    "PSF-2.0",
    "ZPL-2.1",
)

#: How the same is said where there is no expression of SPDX: in a classifier, or in a word.
_OTHER_NAMES = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "BSD": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "Zope Public License": "ZPL-2.1",
}


def licences_of(package: Distribution) -> list[str]:
    """Return the licences that it says. All must be in the list, also where one may be chosen."""
    about = package.metadata
    expression = about.get("License-Expression")
    if expression:
        return [part.strip("() ") for part in re.split(r"\s+(?:OR|AND)\s+", expression)]
    said = [
        text.rpartition(" :: ")[2]
        for text in about.get_all("Classifier") or ()
        if text.startswith("License :: ")
    ]
    said = said or [(about.get("License") or "none").splitlines()[0]]
    return [_OTHER_NAMES.get(text, text) for text in said]


def main() -> None:
    packages = needed()
    strange = {}
    for name, package in packages.items():
        licences = licences_of(package)
        print(f"licences: {name} {package.version}: {', '.join(licences)}")
        if not set(licences) <= set(ALLOWED):
            strange[name] = licences
    if strange:
        raise SystemExit(f"licences: not in the list of .ci/licences.py: {strange}")
    if not packages:
        raise SystemExit("licences: the gateway is not installed here")


if __name__ == "__main__":
    main()
