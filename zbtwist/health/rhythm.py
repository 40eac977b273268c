"""How often a node says something by itself.

A meter that reports each minute and has said nothing for two is worth a look; a device that speaks
when it is asked is not. So what a node says counts only if nothing was sent to it in between.
"""

from __future__ import annotations

from statistics import median

#: Pauses between two things that a node says, of which its rhythm is made, and how many there have
#: to be.
_KEPT = 9
_NEEDED = 5

#: A pause is like the others if it is so many times theirs, at the least and at the most; and how
#: many of them may be unlike: one report may be lost.
_SHORT, _LONG = 0.4, 2.2
_UNLIKE = 2


class Rhythm:
    """What is known of one node.

    @ivar seconds: the pause that is usual; None if it has no rhythm, or too little was heard.
    """

    __slots__ = ("_pauses", "seconds")

    def __init__(self) -> None:
        # An empty list takes less than an empty deque, for each node.
        self._pauses: list[float] = []
        self.seconds: float | None = None

    def heard(self, pause: float) -> None:
        """The node has said something by itself, after so many seconds."""
        self._pauses.append(pause)
        del self._pauses[:-_KEPT]
        if len(self._pauses) < _NEEDED:
            return
        usual = median(self._pauses)
        like = sum(_SHORT * usual <= each <= _LONG * usual for each in self._pauses)
        self.seconds = usual if like >= len(self._pauses) - _UNLIKE else None

    def forget(self) -> None:
        """What comes now is an answer: begin anew."""
        self._pauses.clear()
        self.seconds = None
