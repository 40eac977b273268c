"""``/healthz``: whether the radio answers and is in a network, for whoever watches the gateway.

200 while it does; else 503 with the reason as a sentence. It asks nobody: the link to the radio is
watched all the time anyway (see `zbtwist.radio.heartbeat`).
"""

from __future__ import annotations

from twisted.web import http
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request

from zbtwist.control.http.answers import not_found, refuse_method, text_answer
from zbtwist.radio.interfaces import IRadio


class HealthPage(Resource):
    """Answers GET and HEAD."""

    def __init__(self, radio: IRadio) -> None:
        """
        @param radio: whose link is the gateway's health.
        """
        super().__init__()
        self._radio = radio

    def getChild(self, path: bytes, request: Request) -> IResource:
        return not_found(request)

    def render(self, request: Request) -> bytes:
        if request.method not in (b"GET", b"HEAD"):
            return refuse_method(request)
        facts = self._radio.facts
        problem = self._radio.offline_reason if facts is None else facts.problem
        if problem:
            return text_answer(request, http.SERVICE_UNAVAILABLE, problem)
        return text_answer(request, http.OK, "ok")
