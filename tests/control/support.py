"""Operations of a gateway that is not there."""

from __future__ import annotations

from typing import Any


class NoOperations:
    """Operations that a test does not ask for; it defines those that it does ask for."""

    def discover(self) -> object:
        raise NotImplementedError

    def list_nodes(self) -> object:
        raise NotImplementedError

    def get_temperatures(self) -> object:
        raise NotImplementedError

    def status(self) -> object:
        raise NotImplementedError

    async def create_mapping(self, address: str, tcp_port: int) -> None:
        raise NotImplementedError

    async def bind_using_list(self, rows: list[tuple[str, int]]) -> None:
        raise NotImplementedError

    async def remove_mapping(self, address: str) -> None:
        raise NotImplementedError

    async def rename(self, address: str, label: str) -> None:
        raise NotImplementedError

    async def at(
        self, address: str, command: str, value: int | str | bytes | None = None
    ) -> int | str | bytes:
        raise NotImplementedError

    def stats(self) -> list[dict[str, Any]]:
        raise NotImplementedError

    def trace(self, seq: int) -> list[dict[str, Any]]:
        raise NotImplementedError

    def frames(self, on: bool | None = None, address: str = "") -> dict[str, Any]:
        raise NotImplementedError
