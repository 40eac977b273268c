"""The picture of the network: where nodes stand, what is lit, what is found; in a real browser."""

from __future__ import annotations

import base64
import random
import struct
from typing import Any

from tests.browser.support import Keys, Page, wait_until
from tests.browser.test_console import ConsoleTestCase

#: Makes a picture of made-up nodes in the page, with a `State` of its own; `window` has both.
MAKE = """
    const [nodes, done] = arguments;
    Promise.all(["picture", "state"].map((name) => import(`/static/${name}.js`))).then(
      ([{ Picture }, { State }]) => {
        // The page's own knows the old elements.
        const old = document.getElementById("view-network");
        const fresh = old.cloneNode(true);
        fresh.querySelector(".network").remove();
        fresh.querySelector("#legend").replaceChildren();
        old.replaceWith(fresh);
        for (const view of ["nodes", "network"]) {
          document.getElementById(`view-${view}`).hidden = view !== "network";
        }
        window.made = new State();
        window.opened = [];
        window.picture = new Picture(window.made, (address) => window.opened.push(address));
        window.made.take({
          type: "snapshot", gateway: {}, radio: { address: "0" }, nodes, traffic: {},
        });
        window.picture.show(true);
        requestAnimationFrame(() => requestAnimationFrame(done));
      },
    );
"""

#: Where each node stands on the screen, by its address.
WHERE = """
    return Object.fromEntries([...document.querySelectorAll(".network .node")].map((node) => {
      const { left, top, width, height } = node.querySelector(".dot").getBoundingClientRect();
      return [node.dataset.address, [left + width / 2, top + height / 2].map(Math.round)];
    }));
"""


def address_of(number: int) -> str:
    return f"00:13:a2:00:40:0a:{number >> 8:02x}:{number & 0xFF:02x}"


def node(number: int, **more: object) -> dict[str, object]:
    """What the gateway says of a node, as far as the picture shows it."""
    return {
        "address": address_of(number),
        "label": f"NODE-{number}",
        "short": f"{number:04x}",
        "parent": "fffe",
        "type": "router",
        "route": [],
        "signal": None,
        "health": "ok",
        "health_since": 0,
        "health_text": "",
        "packets_sent": 0,
        "failures": 0,
        **more,
    }


class OncePerTest(ConsoleTestCase):
    _page: Page | None = None

    def once(self) -> Page:
        """Open the console, if this test has not."""
        if self._page is None:
            self._page = self.open()
        return self._page


class LayoutTests(OncePerTest):
    """Where the nodes stand in the picture, computed by the page's own module."""

    def arrange(self, nodes: list[dict[str, object]]) -> dict[str, Any]:
        """Return the parents of all nodes, their hops, their ways and their places."""
        page = self.once()
        answer: dict[str, Any] = page.driver.execute_async_script(
            """
            const [nodes, done] = arguments;
            import("/static/layout.js").then(({ Places, Ways, tree }) => {
              const ways = new Ways(nodes);
              const places = new Places();
              places.keep(ways.links.keys());
              const at = [...ways.links.keys()].map((each) => [
                each, places.of(each, ways.hops.get(each)),
              ]);
              done({
                links: Object.fromEntries(tree(nodes)),
                hops: Object.fromEntries(ways.hops),
                ways: Object.fromEntries(nodes.map(({ address }) => [address, ways.of(address)])),
                places: Object.fromEntries(at),
              });
            });
            """,
            nodes,
        )
        return answer

    def test_parents(self) -> None:
        """An end device hangs on its parent, a router on its neighbour; what is not known, and a
        circle, is with the coordinator.
        """

        def each(number: int, **more: object) -> dict[str, object]:
            return node(number, **more) | {"address": str(number)}

        links = self.arrange(
            [
                each(1),
                each(2, route=["0001"]),
                each(3, type="end", parent="0002", route=["0001"]),
                each(4, type="end", parent="0000", route=None),
                each(5, route=None),
                each(6, route=["abcd"]),
                each(7, route=["0008"]),
                each(8, route=["0007"]),
            ]
        )["links"]
        self.assertEqual(links["1"], {"parent": "", "known": True})
        self.assertEqual(links["2"], {"parent": "1", "known": True})
        self.assertEqual(links["3"], {"parent": "2", "known": True})
        self.assertEqual(links["4"], {"parent": "", "known": True})
        self.assertEqual(links["5"], {"parent": "", "known": False})
        self.assertEqual(links["6"], {"parent": "", "known": False})
        self.assertEqual({links["7"]["parent"], links["8"]["parent"]} & {""}, {""})

    def test_ways(self) -> None:
        """A relay that has told no way has that of those whose packets it passes on."""
        found = self.arrange(
            [
                node(1, route=["0002", "0003"]),
                node(2, route=None),
                node(3, route=None),
                node(4, route=["00ff", "0003"]),
            ]
        )
        one, two, three, four = map(address_of, range(1, 5))
        self.assertEqual(found["links"][two], {"parent": three, "known": True})
        self.assertEqual(found["links"][three], {"parent": "", "known": True})
        self.assertEqual([found["hops"][each] for each in (one, two, three, four)], [3, 2, 1, 3])
        self.assertEqual([hop.get("address") for hop in found["ways"][one]], [three, two, one])
        # Whose address that is nobody knows.
        self.assertEqual(
            found["ways"][four],
            [
                {"short": "0003", "address": three},
                {"short": "00ff", "address": None},
                {"address": four},
            ],
        )

    def test_room(self) -> None:
        """No two nodes stand in each other's place, however many, and on whichever rings."""
        chance = random.Random(5)
        for count in (40, 80, 160, 320, 500):
            nodes = [
                node(number, route=["0001"] * chance.choice((0, 0, 0, 1, 1, 2)))
                for number in range(1, count + 1)
            ]
            places = list(self.arrange(nodes)["places"].values())
            self.assertEqual(len(places), count)
            for number, one in enumerate(places):
                for other in places[:number]:
                    apart = (one["x"] - other["x"]) ** 2 + (one["y"] - other["y"]) ** 2
                    self.assertGreaterEqual(apart, 14**2 - 0.5, (count, one, other))

    def test_an_angle_belongs_to_an_address(self) -> None:
        """With more hops a node is on its ray, farther out; with others there it stays."""
        few = self.arrange([node(number) for number in range(1, 31)])["places"]
        more = self.arrange([node(number, route=["0001", "0002"]) for number in range(1, 31)])[
            "places"
        ]
        for address, place in few.items():
            self.assertAlmostEqual(place["angle"], more[address]["angle"])
            self.assertGreater(more[address]["radius"], place["radius"] + 100)


class PictureTestCase(OncePerTest):
    def make(self, nodes: list[dict[str, object]], width: int = 1280, height: int = 900) -> Page:
        page = self.once()
        page.size(width, height)
        page.driver.execute_async_script(MAKE, nodes)
        return page

    def change(self, page: Page, *nodes: dict[str, object], gone: tuple[str, ...] = ()) -> None:
        """Something of nodes is new."""
        page.driver.execute_async_script(
            """
            const [nodes, gone, done] = arguments;
            window.made.take({ type: "changes", gateway: {}, radio: {}, nodes, gone });
            requestAnimationFrame(() => requestAnimationFrame(done));
            """,
            nodes,
            gone,
        )

    def point_at(self, page: Page, number: int, kind: str = "pointerover") -> None:
        page.script(
            "document.querySelector(`.network [data-address='${arguments[0]}'] .dot`)"
            ".dispatchEvent(new PointerEvent(arguments[1], {bubbles: true}))",
            address_of(number),
            kind,
        )

    def lit(self, page: Page) -> list[str]:
        return sorted(
            page.script(
                "return [...document.querySelectorAll('.network .node.on')]"
                ".map(node => node.dataset.address)"
            )
        )

    def crowd(self, count: int) -> list[dict[str, object]]:
        """Nodes of which every third is behind another one."""
        return [
            node(number, route=[f"{number % 12 + 1:04x}"] if number > 12 and not number % 3 else [])
            for number in range(1, count + 1)
        ]


class StillnessTests(PictureTestCase):
    """Nothing jumps."""

    def test_moved_and_renamed(self) -> None:
        """A node has another way, another another name, one is new and one is gone: all others
        stay to the pixel.
        """
        page = self.make(self.crowd(60))
        before = page.script(WHERE)
        self.assertEqual(len(before), 60)
        self.change(
            page,
            {"address": address_of(20), "route": ["0001", "0002"]},
            {"address": address_of(21), "label": "AAA-another-name"},
            node(99),
            gone=(address_of(22),),
        )
        after = page.script(WHERE)
        self.assertEqual(set(after) - set(before), {address_of(99)})
        self.assertEqual(set(before) - set(after), {address_of(22)})
        moved = {
            address for address in after if address in before and after[address] != before[address]
        }
        self.assertEqual(moved, {address_of(20)})

    def test_loaded_anew(self) -> None:
        """Whoever comes later sees the same, in whichever order the nodes are told."""
        nodes = self.crowd(60)
        before = self.make(nodes).script(WHERE)
        self.assertEqual(self.make(nodes[::-1]).script(WHERE), before)

    def test_what_somebody_looks_at(self) -> None:
        """A part that was chosen stays, also when a node comes that is outside of it."""
        page = self.make(self.crowd(60))
        for _ in range(4):
            page.click("zoom-in")
        wait_until(lambda: page.script("return !window.picture.planned"), "it is drawn")
        before = page.script("return document.querySelector('.network').getAttribute('viewBox')")
        self.change(page, node(98, route=["0001"] * 5))
        after = page.script("return document.querySelector('.network').getAttribute('viewBox')")
        self.assertEqual(before, after)


class ViewTests(PictureTestCase):
    """What is shown of it."""

    def test_fit(self) -> None:
        """All of a large network is seen at once, and nothing of it is cut off."""
        for width, height in ((1280, 900), (800, 900), (390, 844)):
            page = self.make(self.crowd(300), width, height)
            page.click("zoom-fit")
            count, cut_off = page.script(
                """
                const seen = document.getElementById("picture-frame").getBoundingClientRect();
                const all = [...document.querySelectorAll(".network .node")];
                const cutOff = all.filter((part) => {
                  const { left, right, top, bottom } = part.getBoundingClientRect();
                  return left < seen.left || right > seen.right || top < seen.top
                    || bottom > seen.bottom || top < 0 || bottom > innerHeight;
                });
                return [all.length, cutOff.map((part) => part.textContent)];
                """
            )
            self.assertEqual((count, cut_off), (300, []), (width, height))

    def test_names(self) -> None:
        """Those that are shown do not cover each other; who needs attention is named first."""
        nodes = self.crowd(300)
        nodes[149]["health"] = "not-answering"
        page = self.make(nodes)
        boxes = page.script(
            """
            const names = document.querySelectorAll(".network .node .name:not(.hidden)");
            return [...names].map((name) => {
              const { left, right, top, bottom } = name.getBoundingClientRect();
              return [name.textContent, left, right, top, bottom];
            });
            """
        )
        self.assertGreater(len(boxes), 10)
        self.assertIn("NODE-150", {box[0].split(" ")[0] for box in boxes})
        for index, (_, left, right, top, bottom) in enumerate(boxes):
            for _, other_left, other_right, other_top, other_bottom in boxes[:index]:
                self.assertTrue(
                    right < other_left + 2
                    or left > other_right - 2
                    or bottom < other_top + 4
                    or top > other_bottom - 4,
                    boxes[index],
                )

    def test_colours(self) -> None:
        """They are those of the list: by how a node is, and by a port that does not open."""
        page = self.make(
            [
                node(1),
                node(2, health="silent"),
                node(3, health="weak"),
                node(4, health="asleep", type="end"),
                node(5, problem="Port 27005 is taken."),
            ]
        )
        kinds = page.script(
            "return [...document.querySelectorAll('.network .node')].map(node =>"
            " [node.dataset.address, node.getAttribute('class')])"
        )
        self.assertEqual(
            {address: kind.split()[1:3] for address, kind in kinds},
            {
                address_of(1): ["router", "ok"],
                address_of(2): ["router", "attention"],
                address_of(3): ["router", "weak"],
                address_of(4): ["end", "asleep"],
                address_of(5): ["router", "attention"],
            },
        )

    def test_wheel_and_drag(self) -> None:
        """The wheel enlarges what the pointer is at; a drag moves, and is no click."""
        page = self.make(self.crowd(60))
        where = page.script(WHERE)[address_of(7)]
        page.script(
            "document.getElementById('picture-frame').dispatchEvent(new WheelEvent('wheel',"
            " {deltaY: -400, clientX: arguments[0], clientY: arguments[1], cancelable: true,"
            " bubbles: true}))",
            *where,
        )
        wait_until(lambda: page.script("return !window.picture.planned"), "it is drawn")
        after = page.script(WHERE)
        self.assertLessEqual(abs(after[address_of(7)][0] - where[0]), 1)
        self.assertLessEqual(abs(after[address_of(7)][1] - where[1]), 1)
        moves = [("pointerdown", 0), ("pointermove", 30), ("pointermove", 60), ("pointerup", 60)]
        for kind, across in moves:
            page.script(
                "document.querySelector(`.network [data-address='${arguments[0]}'] .dot`)"
                ".dispatchEvent(new PointerEvent(arguments[1], {pointerId: 1, button: 0,"
                " clientX: arguments[2], clientY: arguments[3], bubbles: true}))",
                *(address_of(7), kind, where[0] + across, where[1]),
            )
        page.script(
            "document.querySelector(`.network [data-address='${arguments[0]}'] .dot`)"
            ".dispatchEvent(new MouseEvent('click', {bubbles: true}))",
            address_of(7),
        )
        wait_until(lambda: page.script("return !window.picture.planned"), "it is drawn")
        self.assertLessEqual(abs(page.script(WHERE)[address_of(7)][0] - where[0] - 60), 2)
        self.assertEqual(page.script("return window.opened"), [])

    def test_pinch(self) -> None:
        page = self.make(self.crowd(60))
        scale = page.script("return window.picture.camera.scale")
        for finger, kind, across in (
            (1, "pointerdown", 400),
            (2, "pointerdown", 500),
            (2, "pointermove", 600),
        ):
            page.script(
                "document.getElementById('picture-frame').dispatchEvent(new PointerEvent("
                "arguments[1], {pointerId: arguments[0], button: 0, pointerType: 'touch',"
                " clientX: arguments[2], clientY: 500, bubbles: true}))",
                *(finger, kind, across),
            )
        self.assertAlmostEqual(page.script("return window.picture.camera.scale"), 2 * scale)

    def test_png(self) -> None:
        """It is a PNG of all of it, whatever part is seen, in which something is drawn."""
        page = self.make(self.crowd(60))
        page.click("zoom-in")
        data = page.driver.execute_async_script(
            """
            const done = arguments[0];
            import("/static/picture-png.js").then(async ({ savePng }) => {
              const blob = await savePng(window.picture.scene, "title", "network.png");
              const bytes = new Uint8Array(await blob.arrayBuffer());
              let text = "";
              for (const byte of bytes) text += String.fromCharCode(byte);
              done([blob.type, btoa(text)]);
            });
            """
        )
        self.assertEqual(data[0], "image/png")
        image = base64.b64decode(data[1])
        self.assertEqual(image[:8], b"\x89PNG\r\n\x1a\n")
        width, height = struct.unpack_from(">II", image, 16)
        self.assertGreater(min(width, height), 600)
        # A picture of nothing takes some hundreds.
        self.assertGreater(len(image), 20_000)
        page.click("picture-png")
        page.wait_text("found-text", "saved")


class WayTests(PictureTestCase):
    """What the pointer and the keyboard show."""

    def nodes(self) -> list[dict[str, object]]:
        return [
            node(1, signal=58, label="METER"),
            node(2, route=["0001"], signal=58, label="ECHO2", failures=1, packets_sent=99),
            node(3, signal=82, health="weak"),
            node(4, route=None, health="not-answering", health_text="Does not answer."),
        ]

    def test_hover(self) -> None:
        """It lights the way, with the signal of each hop that is known, and says it in words."""
        page = self.make(self.nodes())
        self.assertEqual(page.text("picture-card"), "")
        self.point_at(page, 2)
        self.assertEqual(self.lit(page), [address_of(1), address_of(2)])
        marks = page.find(".network .marks .level")
        self.assertEqual([mark.text for mark in marks], ["−58 dBm"])
        self.assertEqual(len(page.find(".network .way path")), 2)
        way = page.text("card-way")
        self.assertEqual(way, "coordinator — −58 dBm → METER → ECHO2")
        self.assertEqual(
            page.text("card-facts"), "2 hops · last hop −58 dBm · 1 of 100 packets lost"
        )
        self.point_at(page, 4)
        self.assertEqual(self.lit(page), [address_of(4)])
        self.assertIn("way not known yet", page.text("card-facts"))
        self.assertEqual(page.text("card-why"), "Does not answer.")
        self.point_at(page, 4, "pointerout")
        wait_until(lambda: not self.lit(page), "nothing is lit")
        self.assertEqual(page.text("picture-card"), "")

    def test_card_leaves_its_node_in_sight(self) -> None:
        """Wherever the node stands, also on a phone, where the card is as wide as the picture."""
        page = self.make([node(number, health="losing") for number in range(1, 30)])
        for width in (1280, 390):
            page.size(width, 844)
            page.script("window.picture.fit()")
            for number in range(1, 30):
                self.point_at(page, number)
                covered = page.script(
                    "const card = document.getElementById('picture-card').getBoundingClientRect();"
                    "const dot = document.querySelector('.network .node[data-address=\"' +"
                    " arguments[0] + '\"] .dot').getBoundingClientRect();"
                    "return card.width > 0 && dot.left < card.right && dot.right > card.left"
                    " && dot.top < card.bottom && dot.bottom > card.top",
                    address_of(number),
                )
                self.assertFalse(covered, (width, number))

    def test_signal_of_a_neighbour(self) -> None:
        """What our radio does not hear, a neighbour may have told: the worse way of both."""
        page = self.make(self.nodes())
        page.script(
            "window.picture.neighbours.take("
            "{links: arguments[0], text: '', running: false, asked: 0, total: 0})",
            [
                {
                    "addr_extended": f"[{address_of(1)}]!",
                    "neighbour": f"[{address_of(2)}]!",
                    "lqi": 200,
                },
                {
                    "addr_extended": f"[{address_of(2)}]!",
                    "neighbour": f"[{address_of(1)}]!",
                    "lqi": 150,
                },
            ],
        )
        self.point_at(page, 2)
        self.assertEqual(page.text("card-way"), "coordinator — −58 dBm → METER — LQI 150 → ECHO2")
        self.assertEqual(
            page.script(
                "return [...document.querySelectorAll('.neighbours > path')]"
                ".map(path => path.getAttribute('d')).join('')"
            ),
            "",
        )
        page.click("neighbours-on")
        self.assertEqual(
            page.script(
                "return [...document.querySelectorAll('.neighbours > path')]"
                ".filter(path => path.getAttribute('d')).map(path => path.getAttribute('class'))"
            ),
            ["neighbour good"],
        )

    def test_keyboard(self) -> None:
        """Tab goes into the picture and to a node, arrows to others, Enter opens, Escape ends."""
        page = self.make(self.nodes())
        frame = page.id("picture-frame")
        page.script("document.getElementById('picture-frame').focus()")
        before = page.script("return window.picture.camera.x")
        frame.send_keys(Keys.ARROW_RIGHT)
        self.assertGreater(page.script("return window.picture.camera.x"), before)
        scale = page.script("return window.picture.camera.scale")
        frame.send_keys("+")
        self.assertGreater(page.script("return window.picture.camera.scale"), scale)
        frame.send_keys(Keys.TAB)
        active = page.driver.switch_to.active_element
        self.assertEqual(self.lit(page), [active.get_attribute("data-address")])
        page.script("window.picture.goTo(arguments[0])", address_of(2))
        active = page.driver.switch_to.active_element
        self.assertEqual(active.get_attribute("data-address"), address_of(2))
        self.assertEqual(self.lit(page), [address_of(1), address_of(2)])
        active.send_keys(Keys.ARROW_UP)
        active = page.driver.switch_to.active_element
        self.assertEqual(active.get_attribute("data-address"), address_of(1))
        seen = set()
        for _ in range(4):
            active.send_keys(Keys.ARROW_RIGHT)
            active = page.driver.switch_to.active_element
            seen.add(active.get_attribute("data-address"))
        self.assertEqual(seen, {address_of(number) for number in range(1, 5)})
        active.send_keys(Keys.ENTER)
        self.assertEqual(page.script("return window.opened"), [address_of(1)])
        active.send_keys(Keys.ESCAPE)
        self.assertEqual(self.lit(page), [])
        self.assertEqual(page.driver.switch_to.active_element.get_attribute("id"), "picture-frame")

    def test_find(self) -> None:
        """Words find nodes; Enter goes to one after the other."""
        page = self.make(self.nodes())
        page.id("picture-find").send_keys("echo")
        page.wait_text("found-text", "1 node found.")
        found = page.find(".network .node.found")
        self.assertEqual([one.get_attribute("data-address") for one in found], [address_of(2)])
        self.assertEqual(len(page.find(".network .node.left")), 3)
        self.assertIn("q=echo", page.driver.current_url)
        page.id("picture-find").send_keys(Keys.ENTER)
        self.assertEqual(self.lit(page), [address_of(1), address_of(2)])
        page.id("picture-find").send_keys("nobody")
        page.wait_text("found-text", "No node is like that.")
        page.id("picture-find").clear()
        page.id("picture-find").send_keys(" ", Keys.BACKSPACE)
        wait_until(lambda: not page.find(".network .node.left"), "all are as they were")

    def test_only_problems(self) -> None:
        """The others step back, but for those on the way to one."""
        nodes = self.nodes()
        nodes[1]["health"] = "losing"
        page = self.make(nodes)
        page.click("only-problems")
        self.assertEqual(page.id("only-problems").get_attribute("aria-pressed"), "true")
        page.wait_text("found-text", "2 nodes found.")
        left = page.find(".network .node.left")
        self.assertEqual([one.get_attribute("data-address") for one in left], [address_of(3)])
        page.click("only-problems")
        self.assertEqual(page.find(".network .node.left"), [])


class RealTests(ConsoleTestCase):
    """With the real gateway."""

    def test_way_and_neighbours(self) -> None:
        """The way of a node is what its route record says; routers are asked whom they hear."""
        page = self.open("network")
        wait_until(lambda: len(page.find(".network .node")) >= 3, "three nodes in the picture")
        page.wait_text("picture-text", "through others")

        def hovered() -> str:
            page.script(
                "[...document.querySelectorAll('.network .node')]"
                ".find(node => node.textContent.startsWith('ECHO')).querySelector('.dot')"
                ".dispatchEvent(new PointerEvent('pointerover', {bubbles: true}))"
            )
            return page.text("card-way")

        wait_until(lambda: "METER" in hovered() and "dBm" in hovered(), "the way of ECHO")
        page.click("neighbours-on")
        page.script(
            "const pause = document.getElementById('walk-pause');"
            "pause.append(new Option('at once', '0.25')); pause.value = '0.25';"
        )
        page.click("walk-begin")
        page.wait_text("walk-text", "modules were asked")
        wait_until(lambda: not page.id("walk-progress").is_displayed(), "the walk has ended")
        wait_until(
            lambda: page.script(
                "return [...document.querySelectorAll('.neighbours > path')]"
                ".some(path => path.getAttribute('d'))"
            ),
            "links of neighbours",
        )
        api: Any = self.world.gateway.api
        self.assertFalse(api.links()["running"])
        self.assertGreater(len(api.links()["links"]), 2)
