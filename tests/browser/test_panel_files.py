"""Files of settings in the panel that are not what they should be: each is a sentence."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.browser.support import Page
from tests.browser.test_panel import PanelTestCase


class WrongFilesTests(PanelTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(tempfile.mkdtemp(prefix="zbtwist-test-"))
        self.saved = self.api.save_settings("ECHO", "toml")

    def choose(self, page: Page, name: str, content: bytes) -> None:
        path = self.folder / name
        path.write_bytes(content)
        page.id("apply-file").send_keys(str(path))

    def opened(self) -> Page:
        page = self.open_node("METER", "settings")
        page.wait_text("settings-age", "ead")
        page.script("document.getElementById('apply-part').open = true")
        return page

    def test_what_the_page_sees(self) -> None:
        """What was chosen before is not applied in place of it."""
        page = self.opened()
        for name, content, said in (
            ("binary.toml", bytes(range(256)), "it is no text in UTF-8"),
            ("old.xml", "<data>Küche</data>".encode("latin-1"), "it is no text in UTF-8"),
            ("huge.toml", b"#" * 70_000, "it is no file of settings"),
        ):
            self.choose(page, "right.toml", self.saved.encode())
            page.wait_text("apply-source", "The settings of right.toml.")
            self.assertTrue(page.id("compare").is_displayed())
            self.choose(page, name, content)
            self.assertIn(name, page.wait_text("apply-source", said))
            self.assertFalse(page.id("compare").is_displayed(), name)

    def test_what_the_gateway_sees(self) -> None:
        page = self.opened()
        profile = self.api.save_settings("ECHO", "xctu")
        for name, text, said in (
            ("empty.toml", "", "There are no settings in it"),
            ("cut.toml", self.saved[: len(self.saved) // 2 + 13], "are no TOML"),
            ("cut.xml", profile[: len(profile) // 2], "are no XML"),
            ("twice.toml", "[settings]\nD1 = 5\nd1 = 4\n", "D1 stands there twice"),
            ("other.toml", self.saved.replace('"2D', '"42'), "Take a module of the same kind"),
            ("other.xml", profile.replace("_4060", "_21A7"), "Take a module of the same kind"),
            ("entity.xml", '<!DOCTYPE a [<!ENTITY a "b">]><data>&a;</data>', "DOCTYPE"),
            ("large.toml", "[settings]\nD1 = 70000\n", "D1 takes a number, 0 to 0xff"),
        ):
            self.choose(page, name, text.encode())
            page.wait_text("apply-source", f"The settings of {name}.")
            page.click("compare")
            page.wait_text("differences", said)
            self.assertFalse(page.id("apply").is_enabled(), name)

    def test_the_same_file_again(self) -> None:
        """It was mended meanwhile, under the same name."""
        page = self.opened()
        self.choose(page, "mine.toml", b"[settings]\nD1 = \n")
        page.wait_text("apply-source", "mine.toml")
        page.click("compare")
        page.wait_text("differences", "are no TOML")
        # As a person does who opens the dialog: what is chosen then is news.
        page.script(
            "document.getElementById('apply-file').addEventListener("
            "'click', (event) => event.preventDefault(), { once: true });"
            "document.getElementById('apply-file').click()"
        )
        self.assertEqual(page.script("return document.getElementById('apply-file').value"), "")
