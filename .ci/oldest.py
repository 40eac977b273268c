"""Print the oldest release of everything that the gateway and its tests need, as pip's constraints.

    python .ci/oldest.py >oldest.txt

The lower bounds are those of pyproject.toml; so they are bounds with which the tests were run.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: ``name[extras]>=version; marker`` or ``name==version``.
_REQUIREMENT = re.compile(
    r"(?P<name>[\w.-]+)(?:\[[^]]*\])?(?:>=|==)(?P<version>[\w.]+)(?P<rest>.*)"
)


def main() -> None:
    with open(Path(__file__).parent.parent / "pyproject.toml", "rb") as file:
        project = tomllib.load(file)["project"]
    # Those that the tests need, with what they have of other extras of ours.
    extras = project["optional-dependencies"]
    needed = list(project["dependencies"])
    for requirement in extras["test"]:
        ours = re.fullmatch(r"zbtwist\[(.*)\]", requirement)
        if ours is None:
            needed.append(requirement)
        else:
            needed += [one for extra in ours[1].split(",") for one in extras[extra.strip()]]
    for requirement in needed:
        found = _REQUIREMENT.fullmatch(requirement)
        if found is None:
            raise SystemExit(f"pyproject.toml: {requirement!r} has no lower bound; give it one.")
        _, _, marker = found["rest"].partition(";")
        print(f"{found['name']}=={found['version']}" + (f" ;{marker}" if marker else ""))


if __name__ == "__main__":
    main()
