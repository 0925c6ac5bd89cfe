"""What passed between terminal and chip, without its contents: for timings and for reports of trouble."""

from __future__ import annotations

from dataclasses import dataclass

from hardware.ports import Clock, Transceiver, longest_response


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One command and its response: lengths in bytes (the status bytes included), status, seconds. ``sw`` is None where none came."""

    command_length: int
    response_length: int
    sw: int | None
    duration_s: float


class Transcript:
    """A transceiver that passes everything through and keeps one :class:`Exchange` for each command."""

    def __init__(self, transceiver: Transceiver, clock: Clock) -> None:
        self._transceiver, self._clock = transceiver, clock
        self.exchanges: list[Exchange] = []

    @property
    def longest_response(self) -> int:
        return longest_response(self._transceiver)

    def transceive(self, command: bytes) -> bytes:
        response, start = b"", self._clock.boot()
        try:
            response = self._transceiver.transceive(command)
        finally:
            self.exchanges.append(
                Exchange(
                    command_length=len(command),
                    response_length=len(response),
                    sw=int.from_bytes(response[-2:]) if len(response) >= 2 else None,
                    duration_s=self._clock.boot() - start,
                )
            )
        return response

    def reconnect(self, timeout: float) -> bool:
        return self._transceiver.reconnect(timeout)
