"""Who asks: the user that a request comes from, and what one who may only look is told."""

from __future__ import annotations

from dataclasses import dataclass

from zbtwist.control.faults import NOT_ALLOWED, ControlFault, shown


@dataclass(frozen=True, slots=True)
class User:
    """
    @ivar name: empty for nobody in particular.
    @ivar may_change: whether it may do more than look.
    """

    name: str
    may_change: bool

    def must_be_allowed(self, what: str) -> None:
        """
        @param what: what would be done, for a sentence.
        @raise ControlFault: with `NOT_ALLOWED`, if the user may only look.
        """
        if not self.may_change:
            who = f"The user {shown(self.name)}" if self.name else "Who has not logged in"
            raise ControlFault(
                NOT_ALLOWED,
                f"{who} may only look, and {what} changes something or reaches a node: log in as "
                "another user.",
            )


#: Who comes in where nobody is asked.
EVERYBODY = User("", True)

#: Who has not said who it is.
NOBODY = User("", False)

_ATTRIBUTE = "zbtwist_user"


def set_user(request: object, user: User) -> None:
    """Say who a request comes from."""
    setattr(request, _ATTRIBUTE, user)


def user_of(request: object) -> User:
    """Return who a request comes from: nobody who may do much, if nobody said so."""
    user: User = getattr(request, _ATTRIBUTE, NOBODY)
    return user
