"""A page of ours as text, so that letter and page say the same: headings underlined, items with a dash, rows in a line."""

from __future__ import annotations

from html.parser import HTMLParser

_BLOCKS = frozenset({"h1", "h2", "h3", "p", "li", "tr", "dt", "dd"})
_UNDER = {"h1": "=", "h2": "=", "h3": "-"}
_SILENT = frozenset({"head", "title", "style"})


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._words = ""
        self._silent = 0

    def handle_starttag(self, tag: str, _attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in _SILENT
        if tag in _BLOCKS:
            self._words = "- " if tag == "li" else ""
        elif tag in {"td", "th"} and self._words.strip():
            self._words += " | "

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in _SILENT
        if tag not in _BLOCKS:
            return
        line = " ".join(self._words.split())
        if tag == "dd" and self.lines:
            self.lines[-1] += f": {line}"
        else:
            self.lines += [*([""] if tag in {*_UNDER, "p"} else []), line]
        if tag in _UNDER:
            self.lines.append(_UNDER[tag] * len(line))
        self._words = ""

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._words += data


def plain(page: str) -> str:
    """The text of an HTML page."""
    reader = _Text()
    reader.feed(page)
    return "\n".join(reader.lines).strip() + "\n"
