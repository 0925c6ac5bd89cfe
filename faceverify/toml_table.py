"""A TOML table read key by key, with nothing left over. Whatever is missing, unknown or out of range is a PackError that says where."""

from __future__ import annotations

import re
from typing import Any

Point = tuple[float, float]


class PackError(Exception):
    """A pack cannot be used: says which file or key, what is wrong and what to do."""

    def __init__(self, where: str, what: str, remedy: str) -> None:
        super().__init__(f"{where}: {what} ({remedy})")
        self.where, self.what, self.remedy = where, what, remedy


class Table:
    """A TOML table read key by key; a key that nobody asked for is an error."""

    def __init__(self, where: str, values: dict[str, Any]) -> None:
        self.where, self.values, self.seen = where, values, set[str]()

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def error(self, key: str, what: str) -> PackError:
        return PackError(f"{self.where}: {key}", what, "correct the description")

    def take(self, key: str, kind: type) -> Any:
        self.seen.add(key)
        value = self.values.get(key)
        if value is None:
            raise self.error(key, "is missing")
        if type(value) is not kind:
            raise self.error(key, f"must be {kind.__name__}")
        return value

    def close(self) -> None:
        for key in self.values.keys() - self.seen:
            raise self.error(key, "is unknown")

    def text(self, key: str) -> str:
        value = str(self.take(key, str))
        if not value.strip():
            raise self.error(key, "is empty")
        return value

    def matching(self, key: str, pattern: re.Pattern[str]) -> str:
        value = self.text(key)
        if not pattern.fullmatch(value):
            raise self.error(key, f"must look like {pattern.pattern}")
        return value

    def one_of(self, key: str, words: tuple[str, ...]) -> str:
        value = self.text(key)
        if value not in words:
            raise self.error(key, f"must be one of {', '.join(words)}")
        return value

    def integer(self, key: str, low: int = 0, high: int = 4096) -> int:
        value = int(self.take(key, int))
        if not low <= value <= high:
            raise self.error(key, f"must be {low}…{high}")
        return value

    def number(self, key: str, low: float, high: float) -> float:
        value = float(self.take(key, float))
        if not low <= value <= high:
            raise self.error(key, f"must be {low}…{high}")
        return value

    def numbers(self, key: str, count: int) -> tuple[float, ...]:
        return self._numbers(key, self.take(key, list), count)

    def points(self, key: str, count: int) -> tuple[Point, ...]:
        rows = self.take(key, list)
        if len(rows) != count or not all(isinstance(row, list) for row in rows):
            raise self.error(key, f"must be {count} points")
        return tuple((x, y) for x, y in (self._numbers(key, row, 2) for row in rows))

    def _numbers(self, key: str, values: list[Any], count: int) -> tuple[float, ...]:
        if len(values) != count or not all(type(value) is float and abs(value) < 1e6 for value in values):
            raise self.error(key, f"must be {count} decimal numbers")
        return tuple(values)

    def table(self, key: str) -> Table:
        return Table(f"{self.where}: {key}", self.take(key, dict))

    def tables(self, key: str) -> list[Table]:
        rows = self.take(key, list)
        if not all(isinstance(row, dict) for row in rows):
            raise self.error(key, "must be tables")
        return [Table(f"{self.where}: {key}[{index}]", row) for index, row in enumerate(rows)]
