"""The door of the control port: nothing but what is public without a login, whatever it is."""

from __future__ import annotations

import json
from base64 import b64encode
from types import SimpleNamespace
from typing import Any

from twisted.web.resource import Resource
from twisted.web.server import Request
from twisted.web.static import Data

from tests.control.http.support import SiteTestCase, method_call
from zbtwist.control.http.door import OWN, PUBLIC, Door
from zbtwist.control.http.guards import Hosts
from zbtwist.control.http.site import ControlRoot, control_site
from zbtwist.control.http.users import NOBODY, User, user_of


def settings(auth: tuple[str, ...] = ("memory:alice:secret",), needed: bool = True) -> Any:
    return SimpleNamespace(auth=auth, auth_read_only=("memory:viewer:look",), needs_login=needed)


def basic(name: str = "alice", word: str = "secret", *more: str) -> str:
    words = b64encode(f"{name}:{word}".encode()).decode()
    return "".join(f"{line}\r\n" for line in (f"Authorization: Basic {words}", *more))


class Asking(Resource):
    """Says who asks."""

    isLeaf = True

    def render(self, request: Request) -> bytes:
        user = user_of(request)
        return f"{user.name} {user.may_change}".encode()


class DoorTestCase(SiteTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.door = Door(self.clock, settings())
        self.site = control_site(self.operations, self.clock, Hosts(("gateway",)), door=self.door)
        root = self.site.resource
        assert isinstance(root, ControlRoot)
        for name in (b"events", b"metrics", b"live", b"whoami", b"later"):
            root.putChild(name, Asking())
        for name in (b"healthz", b"static"):
            root.putChild(name, Data(b"public", "text/plain"))

    def ask(self, path: str, headers: str = "", method: str = "GET") -> Any:
        head = f"{method} {path} HTTP/1.1\r\nHost: gateway:27000\r\n{headers}\r\n"
        return self.exchange(head.encode())

    def told(self, path: str, headers: str = "") -> dict[str, Any]:
        status, _, body = self.ask(path, headers, "POST")
        self.assertEqual(status, 200, body)
        answer: dict[str, Any] = json.loads(body)
        return answer

    def token(self, *who: str) -> str:
        return str(self.told("/login", basic(*who))["token"])


class Closed(DoorTestCase):
    def test_nothing_but_what_is_public(self) -> None:
        """Also what nobody has thought of: a child that is put there later is behind the door."""
        for method in ("GET", "HEAD", "POST", "PUT", "OPTIONS", "DELETE"):
            for path in (
                *("/RPC2", "/rpc2/", "/events", "/events?from=1", "/metrics", "/live", "/later"),
                *("/terminal/0013a200400a3eff", "/nothing", "/%6cive", "//live", "/./live"),
                *("/static2", "/STATIC/../metrics", "/Healthz"),
            ):
                status, _, body = self.ask(path, method=method)
                public = path.startswith("//") and method in ("GET", "HEAD")
                self.assertEqual(status, 404 if public else 401, (method, path, body))

    def test_calls_at_both_addresses(self) -> None:
        for path in ("/RPC2", "/", "/rpc2/"):
            status, headers, body = self.post(method_call("list"), path)
            self.assertEqual(status, 401, path)
            self.assertIn('Basic realm="zbtwist"', headers["www-authenticate"])
            self.assertIn(b"Say who you are", body)

    def test_what_is_public(self) -> None:
        self.assertEqual(set(PUBLIC), {b"", b"static", b"healthz"})
        self.assertEqual(set(OWN), {b"login", b"logout", b"ticket"})
        for path in ("/", "/static/x.js", "/healthz"):
            self.assertIn(self.ask(path)[0], (200, 404), path)

    def test_who_is_not_said_may_do_nothing(self) -> None:
        """What forgets to ask is nobody who may change anything."""
        self.assertIs(user_of(SimpleNamespace()), NOBODY)
        self.assertFalse(NOBODY.may_change)

    def test_no_cookie(self) -> None:
        """A browser would send it to the nodes' ports of this computer as well."""
        for path in ("/login", "/ticket", "/logout"):
            _, headers, _ = self.ask(path, basic(), "POST")
            self.assertNotIn("set-cookie", headers)
            self.assertEqual(headers["cache-control"], "no-store")
        self.assertEqual(self.ask("/whoami", "Cookie: token=x\r\n")[0], 401)

    def test_a_browser_is_not_told_to_ask_by_itself(self) -> None:
        for line in ("Sec-Fetch-Mode: cors", "Origin: http://gateway:27000"):
            _, headers, _ = self.ask("/metrics", f"{line}\r\n")
            self.assertEqual(headers["www-authenticate"], 'Bearer realm="zbtwist"')

    def test_the_console_is_told_so_in_another_way(self) -> None:
        """After 401 a browser would forget the password that a proxy in front wants."""
        for path, said in (("/ticket", ""), ("/ticket", "Bearer old"), ("/login", "Basic eDp5")):
            status, headers, body = self.ask(path, f"Zbtwist-Authorization: {said}\r\n", "POST")
            self.assertEqual(status, 403, body)
            self.assertEqual(headers["www-authenticate"], 'Bearer realm="zbtwist"')

    def test_what_a_browser_remembers_for_a_proxy_is_no_password(self) -> None:
        """Else each page would try a wrong one, until nobody behind that proxy may log in."""
        for path, method in (("/ticket", "POST"), ("/events?ticket=old", "GET")):
            for word in ("secret", "wrong"):
                origin = "Origin: http://gateway:27000"
                status, headers, _ = self.ask(path, basic("alice", word, origin), method)
                self.assertEqual(status, 401)
                self.assertEqual(headers["www-authenticate"], 'Bearer realm="zbtwist"')
        self.assertEqual(len(self.door.login.delays), 0)

    def test_a_header_of_its_own_beside_that(self) -> None:
        """In which the console says who it is."""
        origin = "Origin: http://gateway:27000"
        own = f"{origin}\r\nZbtwist-{basic().strip()}"
        token = self.told("/login", basic("bob", "word", own))["token"]
        own = f"{origin}\r\nZbtwist-Authorization: Bearer {token}"
        told = self.told("/ticket", basic("bob", "word", own))
        self.assertEqual(told["user"], "alice")
        status, _, body = self.ask(f"/live?ticket={told['ticket']}", basic("bob", "word", origin))
        self.assertEqual((status, body), (200, b"alice True"))

    def test_a_proxy_that_logs_in_by_itself(self) -> None:
        """For all whom it lets pass."""
        own = f"Origin: http://gateway:27000\r\nZbtwist-{basic().strip()}\r\n"
        self.assertEqual(self.told("/ticket", own)["user"], "alice")
        self.assertEqual(self.ask("/live", own)[2], b"alice True")

    def test_other_sites_try_no_password(self) -> None:
        """A page of another site tries passwords in its reader's name in vain."""
        for path in ("/RPC2", "/metrics", "/login", "/ticket", "/logout"):
            for word in ("secret", "wrong"):
                status, _, _ = self.ask(
                    path, basic("alice", word, "Origin: http://evil.example"), "POST"
                )
                self.assertEqual(status, 403, path)
        self.assertEqual(len(self.door.login.delays), 0)

    def test_words_that_are_none(self) -> None:
        for words in (
            *("Basic", "Basic !!!", "Basic YQ==", "Basic " + "A" * 9000, "Bearer", "Bearer \xff"),
            *("Digest x", "x" * 100, "Basic " + b64encode(b"\xff\xfe:\x00").decode()),
        ):
            status, _, body = self.ask("/metrics", f"Authorization: {words}\r\n")
            self.assertEqual(status, 401, words)
            self.assertSentence(body.decode().rstrip("\n").replace(". ", ", "))

    def test_nobody_can_log_in(self) -> None:
        """Without users nobody comes in, and is told why."""
        door = Door(self.clock, SimpleNamespace(auth=(), auth_read_only=(), needs_login=True))
        self.site = control_site(self.operations, self.clock, Hosts(("gateway",)), door=door)
        status, _, body = self.ask("/RPC2", basic(), "POST")
        self.assertEqual(status, 401)
        self.assertIn(b"without --auth", body)

    def test_it_opens_where_nobody_is_asked(self) -> None:
        self.site = control_site(
            self.operations,
            self.clock,
            Hosts(("gateway",)),
            door=Door(self.clock, settings(needed=False)),
        )
        self.assertEqual(self.post(method_call("list"))[0], 200)
        for path in ("/login", "/ticket"):
            self.assertEqual(self.told(path)["user"], "")
        self.assertEqual(self.told("/ticket")["ticket"], "")


class Entering(DoorTestCase):
    def test_basic(self) -> None:
        self.assertEqual(self.ask("/whoami", basic())[2], b"alice True")
        self.assertEqual(self.ask("/whoami", basic("viewer", "look"))[2], b"viewer False")
        self.assertEqual(self.ask("/whoami", basic("viewer", "secret"))[0], 401)

    def test_calls(self) -> None:
        status, _, body = self.post(method_call("list"), headers=basic())
        self.assertEqual(status, 200)
        self.assertIn(b"E2", body)

    def test_a_token(self) -> None:
        token = self.token()
        for _ in range(3):
            answer = self.ask("/whoami", f"Authorization: Bearer {token}\r\n")
            self.assertEqual(answer[2], b"alice True")
        self.told("/logout", f"Authorization: Bearer {token}\r\n")
        self.assertEqual(self.ask("/whoami", f"Authorization: Bearer {token}\r\n")[0], 401)

    def test_a_token_grows_old(self) -> None:
        token = self.token()
        self.clock.advance(13 * 3600)
        status, _, body = self.ask("/whoami", f"Authorization: Bearer {token}\r\n")
        self.assertEqual(status, 401)
        self.assertIn(b"log in again", body)

    def test_a_ticket_opens_one_stream(self) -> None:
        token = self.token("viewer", "look")
        ticket = self.told("/ticket", f"Authorization: Bearer {token}\r\n")["ticket"]
        self.assertEqual(self.ask(f"/events?from=1&ticket={ticket}")[2], b"viewer False")
        self.assertEqual(self.ask(f"/events?from=1&ticket={ticket}")[0], 401)
        ticket = self.told("/ticket", f"Authorization: Bearer {token}\r\n")["ticket"]
        self.assertEqual(self.ask(f"/RPC2?ticket={ticket}", method="POST")[0], 401)
        self.clock.advance(31)
        self.assertEqual(self.ask(f"/events?ticket={ticket}")[0], 401)

    def test_a_ticket_is_no_token_and_a_token_no_ticket(self) -> None:
        token = self.token()
        ticket = self.told("/ticket", f"Authorization: Bearer {token}\r\n")["ticket"]
        self.assertEqual(self.ask(f"/events?ticket={token}")[0], 401)
        self.assertEqual(self.ask("/whoami", f"Authorization: Bearer {ticket}\r\n")[0], 401)

    def test_a_program_may_have_a_ticket_for_its_password(self) -> None:
        ticket = self.told("/ticket", basic())["ticket"]
        self.assertEqual(self.ask(f"/live?ticket={ticket}")[2], b"alice True")

    def test_too_many(self) -> None:
        for number in range(6):
            self.ask("/whoami", basic("alice", str(number)))
        status, headers, body = self.ask("/whoami", basic("alice", "7"))
        self.assertEqual((status, headers["retry-after"]), (429, "1"))
        self.assertIn(b"Too many wrong passwords", body)

    def test_who_is_in_stays_in_while_others_try(self) -> None:
        token = self.token()
        self.ask("/whoami", basic())
        for number in range(20):
            self.ask("/whoami", basic("alice", str(number)))
        self.assertEqual(self.ask("/whoami", basic("alice", "x"))[0], 429)
        self.assertEqual(self.ask("/whoami", basic())[0], 200)
        self.assertEqual(self.ask("/whoami", f"Authorization: Bearer {token}\r\n")[0], 200)


class Looking(DoorTestCase):
    """Users who may only look."""

    def call_as_viewer(self, name: str) -> bytes:
        status, _, body = self.post(method_call(name), headers=basic("viewer", "look"))
        self.assertEqual(status, 200)
        return body

    def test_they_look(self) -> None:
        for name in ("list", "status", "system.listMethods"):
            self.assertNotIn(b"faultCode", self.call_as_viewer(name), name)

    def test_they_change_nothing(self) -> None:
        for name in ("discover", "get_temperatures"):
            self.assertFault(10, self.call_as_viewer(name), "'viewer' may only look", name)
        self.assertEqual(self.operations.searches, [])

    def test_not_in_many_calls_at_once_either(self) -> None:
        body = (
            b"<methodCall><methodName>system.multicall</methodName><params><param><value><array>"
            b"<data><value><struct><member><name>methodName</name><value>discover</value></member>"
            b"</struct></value></data></array></value></param></params></methodCall>"
        )
        _, _, answer = self.post(body, headers=basic("viewer", "look"))
        self.assertIn(b"may only look", answer)
        self.assertEqual(self.operations.searches, [])


class Changes(DoorTestCase):
    """Other users, while somebody is in."""

    def setUp(self) -> None:
        super().setUp()
        self.ended: list[str] = []
        self.door.changed = [lambda: self.ended.append("streams")]

    def test_all_are_asked_again(self) -> None:
        token = self.token()
        self.ask("/whoami", basic())
        self.door.reconfigure(settings(), settings(("memory:alice:other",)))
        self.assertEqual(self.ended, ["streams"])
        self.assertEqual(self.ask("/whoami", basic())[0], 401)
        self.assertEqual(self.ask("/whoami", f"Authorization: Bearer {token}\r\n")[0], 401)
        self.assertEqual(self.ask("/whoami", basic("alice", "other"))[0], 200)

    def test_the_same_users_stay(self) -> None:
        token = self.token()
        self.door.reconfigure(settings(), settings())
        self.assertEqual(self.ended, [])
        self.assertEqual(self.ask("/whoami", f"Authorization: Bearer {token}\r\n")[0], 200)

    def test_a_login_that_is_needed_from_now_on(self) -> None:
        open_settings = settings(needed=False)
        self.door.reconfigure(settings(), open_settings)
        self.assertEqual(self.ask("/whoami")[2], b" True")
        self.ended.clear()
        self.door.reconfigure(open_settings, settings())
        self.assertEqual(self.ended, ["streams"])
        self.assertEqual(self.ask("/whoami")[0], 401)


class UserTests(DoorTestCase):
    def test_a_name_of_a_megabyte_is_not_said(self) -> None:
        from zbtwist.control.faults import ControlFault

        user = User("x" * 1_000_000, False)
        error = self.assertRaises(ControlFault, user.must_be_allowed, "rename")
        self.assertLess(len(str(error)), 300)
