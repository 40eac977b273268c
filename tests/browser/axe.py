"""axe-core: what keeps people from using the page who see, hear or move differently.

It comes from npm, by ``make axe``; where it is not, tests that need it are left out.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.browser.support import Page, wait_until

#: Where ``make axe`` puts it.
SCRIPT = Path(sys.prefix, "node", "node_modules", "axe-core", "axe.min.js")


def missing() -> str:
    """Return why it cannot be used; "" if it can."""
    if not SCRIPT.exists():
        return "axe-core is not installed: make axe gets it from npm"
    return ""


def violations(page: Page) -> list[str]:
    """Return what axe-core finds in the page as it is now, in lines that say what and where."""
    if missing():
        raise SkipTest(missing())
    if not page.script("return Boolean(window.axe)"):
        # By the debugger, since the page takes scripts of its own host only.
        page.driver.execute_cdp_cmd(
            "Runtime.evaluate", {"expression": SCRIPT.read_text(encoding="utf-8")}
        )
    # While a colour changes it is neither the one nor the other.
    still = "return document.getAnimations().length === 0"
    wait_until(lambda: page.script(still), "nothing moves in the page")
    found: list[dict[str, Any]] = page.driver.execute_async_script(
        "axe.run(document).then((found) => arguments[0](found.violations))"
    )
    return [
        f"{rule['id']}: {rule['help']}: {node['html'][:200]}: {node['failureSummary']}"
        for rule in found
        for node in rule["nodes"]
    ]


def check(test: SynchronousTestCase, page: Page, state: str) -> None:
    """Fail a test unless axe-core finds nothing in the page as it is now, light and dark.

    @param state: what the page shows, for whoever reads that it failed.
    """
    test.addCleanup(page.scheme, "light")
    for scheme in ("light", "dark"):
        page.scheme(scheme)
        theme = "return document.documentElement.dataset.theme"
        wait_until(lambda: page.script(theme) == scheme, scheme)  # noqa: B023
        test.assertEqual(violations(page), [], f"{state}, {scheme}")
    page.scheme("light")
