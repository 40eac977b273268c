"""How to have the packages that only a part of what the gateway does needs.

It may have been installed by pip, pipx or uv, from a clone; there may be another's package of its
name at an index. So what is said is to be done as it was before, with one word more.
"""

from __future__ import annotations


def missing(extra: str) -> str:
    """Return a clause that says what to do.

    @param extra: the extra of pyproject.toml that has the package.
    """
    return (
        "needs a package that is not installed: install zbtwist again as before, with "
        f"'.[{extra}]' in place of '.'"
    )
