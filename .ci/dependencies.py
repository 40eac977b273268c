"""What the gateway needs when it runs, as it is installed here: the packages that its users get."""

from __future__ import annotations

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution

_NAME = re.compile(r"[\w.-]+")


def needed(name: str = "zbtwist") -> dict[str, Distribution]:
    """Return the distributions that a package needs, and those that these need, by name."""
    found: dict[str, Distribution] = {}
    waiting = [name]
    while waiting:
        each = waiting.pop()
        key = re.sub(r"[-_.]+", "-", each).lower()
        if key in found:
            continue
        try:
            found[key] = distribution(each)
        except PackageNotFoundError:
            # It is for another Python or another system.
            continue
        for requirement in found[key].requires or ():
            text, _, marker = requirement.partition(";")
            if "extra" not in marker:
                match = _NAME.match(text)
                assert match is not None
                waiting.append(match[0])
    del found[name]
    return dict(sorted(found.items()))
