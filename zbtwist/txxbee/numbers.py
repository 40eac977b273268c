"""Numbers as bytes, MSB first."""

from __future__ import annotations


def byte(value: int) -> bytes:
    return bytes((value,))


def short(value: int) -> bytes:
    return value.to_bytes(2, "big")


def long(value: int) -> bytes:
    return value.to_bytes(8, "big")
