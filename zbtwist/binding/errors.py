"""Why a port cannot be had, in sentences."""

from __future__ import annotations


class BindingError(Exception):
    """A mapping cannot be made."""


class PortTaken(BindingError):
    """The port belongs to another node, to another program, or to the gateway itself."""


class Configured(BindingError):
    """The configuration file says which port the node has."""


class NodeGone(BindingError):
    """The node was forgotten while something was done with it."""


class NoMapping(BindingError):
    """The node has no mapping to remove."""
