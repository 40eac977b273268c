"""An attribute that sets the same thing for both directions: ``line.bit_errors = 1e-4``."""

from __future__ import annotations

from typing import Any, Protocol, overload


class HasDirections(Protocol):
    """Something with two directions that have the same attributes."""

    @property
    def directions(self) -> tuple[Any, Any]:
        """Both."""


class Both:
    """Set: the attribute of this name in both directions. Read: the larger of the two."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Both: ...

    @overload
    def __get__(self, instance: HasDirections, owner: type) -> float: ...

    def __get__(self, instance: HasDirections | None, owner: type) -> Both | float:
        if instance is None:
            return self
        return max(float(getattr(one, self._name)) for one in instance.directions)

    def __set__(self, instance: HasDirections, value: float) -> None:
        for one in instance.directions:
            setattr(one, self._name, value)
