"""Read a page as a browser would, with the standard library."""

import json
from html.parser import HTMLParser
from typing import Any, NamedTuple

EMPTY = {"meta", "br"}  # elements of HTML that have no end


class Number(NamedTuple):
    """A number as a page shows it: its place in the record, its value and its text."""

    pointer: str
    value: str
    text: str


class Page(HTMLParser):
    """What is on a page: every element with its attributes, the numbers, and the record."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.numbers: list[Number] = []
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == [], "something was opened and not closed"

    @property
    def record(self) -> dict[str, Any]:
        """The JSON that the page carries."""
        (text,) = self.scripts
        found: dict[str, Any] = json.loads(text)
        return found

    @property
    def text(self) -> str:
        """All that can be read."""
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of every element of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        inside = self.open[-1] if self.open else ""
        if inside in ("script", "style"):
            (self.scripts if inside == "script" else self.styles).append(data)
            return
        self.words.append(data)
        if inside == "data":
            attributes = self.elements[-1][1]
            self.numbers.append(
                Number(str(attributes["data-pointer"]), str(attributes["value"]), data)
            )


def resolve(record: Any, pointer: str) -> Any:
    """Follow a JSON pointer (RFC 6901)."""
    for key in pointer.split("/")[1:]:
        key = key.replace("~1", "/").replace("~0", "~")
        record = record[int(key) if isinstance(record, list) else key]
    return record


def numbers_in(value: Any, place: str) -> dict[str, float | None]:
    """Return every number of a record, by its JSON pointer."""
    if isinstance(value, dict):
        found: dict[str, float | None] = {}
        for key, part in value.items():
            found |= numbers_in(part, f"{place}/{key.replace('~', '~0').replace('/', '~1')}")
        return found
    usual = value is None or (isinstance(value, int | float) and not isinstance(value, bool))
    return {place: value} if usual else {}
