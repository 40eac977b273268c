"""The link to the radio as a state machine: what can happen to it, and what is done then.

docs/architecture.rst ("The link") has its states, and what leads from one to another. In most of
them something is under way: the line is opened, the radio is looked for, it is brought up, a pause
runs, it is watched. How that ends is an input, and so is what the radio, the line and the user do
meanwhile. What is to be done then the machine asks of its owner, see
`zbtwist.radio.interfaces.ILinkOwner`.

Every state takes every input. Where nothing is said of one here, nothing is done: it is no news, or
late, such as a modem status on a line that is being closed. An input that comes while another is
dealt with waits until that is done.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Protocol

from automat import TypeMachineBuilder

from zbtwist.radio.errors import GATEWAY_STOPS
from zbtwist.radio.info import RadioInfo
from zbtwist.radio.interfaces import ILinkOwner
from zbtwist.radio.probe import ProbeResult


class Link(Protocol):
    """What can happen to the link, said by whoever learns of it."""

    def started(self) -> None:
        """The radio is wanted: its line is being opened."""

    def stopped(self) -> None:
        """The radio is wanted no more."""

    def replaced(self) -> None:
        """Another radio is wanted: its line is opened when the old one is closed."""

    def opened(self) -> None:
        """The line is open."""

    def not_opened(self, sentence: str) -> None:
        """The line could not be opened, as the sentence says; it is tried again."""

    def lost(self) -> None:
        """The line is closed, whoever closed it; it is opened again."""

    def found(self, found: ProbeResult) -> None:
        """The radio answers."""

    def ready(self, facts: RadioInfo) -> None:
        """The radio is brought up, and in a network."""

    def ready_alone(self, facts: RadioInfo) -> None:
        """The radio is brought up, and in no network."""

    def failed(self, sentence: str) -> None:
        """The radio was not found or not brought up, as the sentence says."""

    def given_up(self, sentence: str) -> None:
        """The same, so often on one line that it is to be opened anew."""

    def pause_over(self) -> None:
        """It is time to look for the radio again."""

    def frame_came(self) -> None:
        """Somebody is there; said in pauses only."""

    def reset(self) -> None:
        """The radio was reset, and has forgotten what was set on it."""

    def in_other_mode(self, api_mode: int) -> None:
        """The radio, which was up, is in another API mode, this one."""

    def joined(self) -> None:
        """The radio has come into a network."""

    def left(self, association: int) -> None:
        """The radio is in no network; AI says why."""

    def silent(self) -> None:
        """The radio, which was up, does not answer any more."""


_builder = TypeMachineBuilder(Link, ILinkOwner)

stopped = _builder.state("stopped")
opening = _builder.state("opening")
probing = _builder.state("probing")
bringing_up = _builder.state("bringing_up")
pausing = _builder.state("pausing")
#: The radio is brought up, and in a network.
up = _builder.state("up")
#: It is brought up, and in none.
alone = _builder.state("alone")
#: The line is given up, but not gone yet: what comes on it counts no more.
closing = _builder.state("closing")


# --- the line ----------------------------------------------------------------------------------

stopped.upon(Link.started).to(opening).returns(None)


@opening.upon(Link.not_opened).loop()
def _not_opened(link: Link, owner: ILinkOwner, sentence: str) -> None:
    owner.no_radio(sentence)


@stopped.upon(Link.opened).loop()
def _opened_too_late(link: Link, owner: ILinkOwner) -> None:
    owner.close_line()


@probing.upon(Link.lost).to(opening)
@bringing_up.upon(Link.lost).to(opening)
@pausing.upon(Link.lost).to(opening)
def _lost_while_looking(link: Link, owner: ILinkOwner) -> None:
    owner.line_closed()


@closing.upon(Link.lost).to(opening)
def _lost(link: Link, owner: ILinkOwner) -> None:
    # It is said once more: frames of nodes may have come since it was said.
    owner.link_down(None)


@up.upon(Link.lost).to(opening)
@alone.upon(Link.lost).to(opening)
def _lost_while_up(link: Link, owner: ILinkOwner) -> None:
    owner.line_lost()


@opening.upon(Link.stopped).to(stopped)
@probing.upon(Link.stopped).to(stopped)
@bringing_up.upon(Link.stopped).to(stopped)
@pausing.upon(Link.stopped).to(stopped)
@up.upon(Link.stopped).to(stopped)
@alone.upon(Link.stopped).to(stopped)
@closing.upon(Link.stopped).to(stopped)
def _stop(link: Link, owner: ILinkOwner) -> None:
    owner.link_down(GATEWAY_STOPS)
    # Nobody reads the rest any more, and a line that takes nothing must not hold the end up.
    owner.close_line()


@opening.upon(Link.replaced).loop()
@probing.upon(Link.replaced).to(opening)
@bringing_up.upon(Link.replaced).to(opening)
@pausing.upon(Link.replaced).to(opening)
@up.upon(Link.replaced).to(opening)
@alone.upon(Link.replaced).to(opening)
@closing.upon(Link.replaced).to(opening)
def _open_another(link: Link, owner: ILinkOwner) -> None:
    owner.link_down("The gateway opens the radio that the configuration names now.")
    owner.close_line()


# --- looking for the radio, and bringing it up -------------------------------------------------


@opening.upon(Link.opened).to(probing)
@pausing.upon(Link.pause_over).to(probing)
@pausing.upon(Link.frame_came).to(probing)
def _probe(link: Link, owner: ILinkOwner) -> None:
    owner.probe()


@probing.upon(Link.found).to(bringing_up)
def _bring_up(link: Link, owner: ILinkOwner, found: ProbeResult) -> None:
    owner.bring_up(found)


@bringing_up.upon(Link.ready).to(up)
@bringing_up.upon(Link.ready_alone).to(alone)
def _announce(link: Link, owner: ILinkOwner, facts: RadioInfo) -> None:
    owner.announce(facts)


# Of a radio that is up: saying so failed, by a mistake of ours.
@probing.upon(Link.failed).to(pausing)
@bringing_up.upon(Link.failed).to(pausing)
@up.upon(Link.failed).to(pausing)
@alone.upon(Link.failed).to(pausing)
def _pause(link: Link, owner: ILinkOwner, sentence: str) -> None:
    # The line stays open for now: what does not answer may in a moment, and would not sooner if
    # the line was closed in between.
    owner.no_radio(sentence)
    owner.pause()


@probing.upon(Link.given_up).to(closing)
@pausing.upon(Link.given_up).to(closing)
@bringing_up.upon(Link.given_up).to(closing)
@up.upon(Link.given_up).to(closing)
@alone.upon(Link.given_up).to(closing)
def _give_up_line(link: Link, owner: ILinkOwner, sentence: str) -> None:
    owner.no_radio(sentence)
    owner.close_line()


# --- what the radio says, or does not ----------------------------------------------------------


@probing.upon(Link.reset).loop()
@bringing_up.upon(Link.reset).to(probing)
@pausing.upon(Link.reset).to(probing)
@up.upon(Link.reset).to(probing)
@alone.upon(Link.reset).to(probing)
def _begin_after_reset(link: Link, owner: ILinkOwner) -> None:
    owner.begin_again("The radio was reset; the gateway sets it up again.", is_reset=True)


@up.upon(Link.in_other_mode).to(probing)
@alone.upon(Link.in_other_mode).to(probing)
def _begin_in_other_mode(link: Link, owner: ILinkOwner, api_mode: int) -> None:
    # What it was told since then it has not understood, or some of it; and if it has restarted,
    # what was set on it is gone.
    owner.say_other_mode(api_mode)
    owner.begin_again("The radio is in another API mode; the gateway sets the link up anew.")


@probing.upon(Link.joined).loop()
@bringing_up.upon(Link.joined).to(probing)
@pausing.upon(Link.joined).to(probing)
@up.upon(Link.joined).to(probing)
@alone.upon(Link.joined).to(probing)
def _begin_after_joining(link: Link, owner: ILinkOwner) -> None:
    # What was read of the network before is not so any more. A radio that was up, and joins, was
    # away, and nobody was told: it was reset, or has formed its network anew.
    owner.begin_again("The radio has just joined its network.")


@probing.upon(Link.left).loop()
@bringing_up.upon(Link.left).to(probing)
@pausing.upon(Link.left).to(probing)
def _begin_after_leaving(link: Link, owner: ILinkOwner, association: int) -> None:
    # What is being read may be older than that.
    owner.begin_again("The radio has just left its network.")


@up.upon(Link.left).to(alone)
def _leave_network(link: Link, owner: ILinkOwner, association: int) -> None:
    owner.announce_left(association)


@alone.upon(Link.left).loop()
def _stay_alone(link: Link, owner: ILinkOwner, association: int) -> None:
    owner.watch_alone(association)


@up.upon(Link.silent).to(probing)
@alone.upon(Link.silent).to(probing)
def _begin_after_silence(link: Link, owner: ILinkOwner) -> None:
    owner.say_silent()
    owner.begin_again("The radio has fallen silent; the gateway tries to wake it.")


# --- all the rest ------------------------------------------------------------------------------

STATES = (stopped, opening, probing, bringing_up, pausing, up, alone, closing)
INPUTS = tuple(value for name, value in vars(Link).items() if not name.startswith("_"))

for _state in STATES:
    for _input in INPUTS:
        # Automat refuses a second transition, so that this is what nothing was said of.
        with suppress(ValueError):
            _state.upon(_input).loop().returns(None)

#: Call it with the owner to get a link, which is stopped.
make_link = _builder.build()
