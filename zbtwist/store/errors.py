"""What can go wrong with the store."""

from __future__ import annotations


class StoreError(Exception):
    """The store cannot be used. The text is a sentence that says what to do."""
