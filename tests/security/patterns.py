"""Says of a regular expression whether its time grows with the text alone, and not with its square or worse.

Python's `re` goes back: where what follows a repeat does not match, the repeat gives a character back and it is tried
again. A repeat without a bound is therefore harmless only if nothing is won by going back:

1. What can follow it begins with no character that it takes itself (`[^"]*"`), so that each step back fails at once; or
   it never gives back (`++`, `*+`, `(?>…)`). Of a repeat of a group, the next round is what can follow its last part.
2. The branches of a group that is repeated begin with different characters: there is one way to read a text.
3. Where the pattern is looked for (`search`, `sub`, `findall`), it is tried at each place of the text. A repeat behind
   which something can still fail must then not cross the place where another try begins: before it stands a character
   that it does not take (`"[^"]*"`), or an assertion that it begins only once in a run (`(?<!_)_++[a-z]`).

A repeat of at most 256 rounds counts as a constant. A reference to a group (`\\1`) counts as anything.
"""

import re
from collections.abc import Iterator, Sequence
from re import _constants as codes
from re import _parser as parser
from typing import Any

Item = tuple[Any, Any]
Chars = frozenset[int]

_ALL: Chars = frozenset((*range(256), 0x2028, 0x4E00, 0x1F600))
_MAX_ROUNDS = 256
_REPEATS = (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT)


class Finding(Exception):  # noqa: N818  it is what is found
    """What is wrong with a pattern."""


def check(pattern: str | bytes, flags: int = 0, *, is_searched: bool = True) -> None:
    """Raise `Finding` if the time that this pattern takes may grow faster than the text."""
    parsed = parser.parse(pattern, flags)
    _Walk(parsed.state.flags).sequence(list(parsed), frozenset(), can_fail=False, guards=[] if is_searched else None)


_KNOWN: dict[tuple[str, int], Chars] = {}


def _possible(item: Item, flags: int) -> Chars:
    """The characters that an item of one character takes."""
    known = repr(item), flags
    if known not in _KNOWN:
        _KNOWN[known] = _taken(item, flags)
    return _KNOWN[known]


def _taken(item: Item, flags: int) -> Chars:
    probe = parser.SubPattern(parser.State(), [item])
    probe.state.flags = flags & ~re.DEBUG
    is_bytes = not flags & re.UNICODE and not flags & re.ASCII
    compiled = _compiled(probe, flags)
    return frozenset(char for char in _ALL if (not is_bytes or char < 256) and compiled(char))


def _compiled(probe: Any, flags: int) -> Any:
    (operation, value) = probe[0]
    ignores = bool(flags & re.IGNORECASE)

    def takes(char: int) -> bool:
        variants = {char}
        if ignores and char < 0x110000:
            variants |= {ord(other) for other in (chr(char).lower(), chr(char).upper()) if len(other) == 1}
        return any(_takes(operation, value, each, flags) for each in variants)

    return takes


_CATEGORIES = {
    codes.CATEGORY_DIGIT: r"\d",
    codes.CATEGORY_NOT_DIGIT: r"\D",
    codes.CATEGORY_SPACE: r"\s",
    codes.CATEGORY_NOT_SPACE: r"\S",
    codes.CATEGORY_WORD: r"\w",
    codes.CATEGORY_NOT_WORD: r"\W",
}


def _takes(operation: Any, value: Any, char: int, flags: int) -> bool:
    if operation is codes.LITERAL:
        return bool(char == value)
    if operation is codes.NOT_LITERAL:
        return bool(char != value)
    if operation is codes.ANY:
        return bool(flags & re.DOTALL) or char != 10
    if operation is codes.RANGE:
        return bool(value[0] <= char <= value[1])
    if operation is codes.CATEGORY:
        ascii_only = flags & re.ASCII or not flags & re.UNICODE
        return re.fullmatch(_CATEGORIES[value], chr(char), re.ASCII if ascii_only else 0) is not None
    assert operation is codes.IN, operation
    is_negated = bool(value) and value[0][0] is codes.NEGATE
    inside = any(_takes(each[0], each[1], char, flags) for each in value if each[0] is not codes.NEGATE)
    return inside is not is_negated


_ONE = (codes.LITERAL, codes.NOT_LITERAL, codes.ANY, codes.IN)


class _Walk:
    def __init__(self, flags: int) -> None:
        self._flags = flags

    def sequence(
        self, items: Sequence[Item], follow: Chars, *, can_fail: bool, guards: list[tuple[str, Chars]] | None
    ) -> list[tuple[str, Chars]] | None:
        """Look at each repeat; `follow` is how what comes behind may begin, `can_fail` whether it may fail.

        `guards` are the characters that surely stood before, and None where the pattern is tried at one place only.
        """
        for index, item in enumerate(items):
            rest = items[index + 1 :]
            behind, is_nullable = self.first(rest)
            self._item(
                item,
                behind | follow if is_nullable else behind,
                can_fail=can_fail or not self._cannot_fail(rest),
                guards=guards,
            )
            guards = self._guarded(item, guards)
        return guards

    def _item(self, item: Item, follow: Chars, *, can_fail: bool, guards: list[tuple[str, Chars]] | None) -> None:
        operation, value = item
        if operation in _REPEATS:
            self._repeat(operation, value, follow, can_fail=can_fail, guards=guards)
        elif operation is codes.SUBPATTERN:
            self.sequence(list(value[3]), follow, can_fail=can_fail, guards=guards)
        elif operation is codes.ATOMIC_GROUP:
            self.sequence(list(value), frozenset(), can_fail=can_fail, guards=guards)
        elif operation is codes.BRANCH:
            for branch in value[1]:
                self.sequence(list(branch), follow, can_fail=can_fail, guards=guards)
        elif operation in (codes.ASSERT, codes.ASSERT_NOT):
            self.sequence(list(value[1]), frozenset(), can_fail=False, guards=guards)

    def _repeat(
        self, operation: Any, value: Any, follow: Chars, *, can_fail: bool, guards: list[tuple[str, Chars]] | None
    ) -> None:
        least, maximum, body = value[0], value[1], list(value[2])
        is_possessive = operation is codes.POSSESSIVE_REPEAT
        begins, _ = self.first(body)
        if maximum > 1:
            for branch, other in _pairs(self._branches(body)):
                if not is_possessive and maximum > _MAX_ROUNDS and self.first(branch)[0] & self.first(other)[0]:
                    raise Finding("two branches of a repeated group can begin alike")
        again = begins | (frozenset() if is_possessive else follow) if maximum > 1 else follow
        self.sequence(body, again, can_fail=can_fail or least > 0, guards=guards)
        if maximum <= _MAX_ROUNDS:
            return
        if not is_possessive and begins & follow:
            raise Finding("what follows a repeat can begin with what it takes, so that it may go back again and again")
        taken = self.all_of(body)
        if guards is not None and can_fail and not self._is_guarded(taken, guards):
            raise Finding("a repeat may be scanned again from each place of the text; say before it where it begins")

    @staticmethod
    def _is_guarded(taken: Chars, guards: list[tuple[str, Chars]]) -> bool:
        return any(not taken & chars if kind == "before" else taken <= chars for kind, chars in guards)

    def _guarded(self, item: Item, guards: list[tuple[str, Chars]] | None) -> list[tuple[str, Chars]] | None:
        if guards is None:
            return None
        operation, value = item
        if operation is codes.AT and value in (codes.AT_BEGINNING, codes.AT_BEGINNING_STRING):
            return None if not self._flags & re.MULTILINE else guards
        if operation is codes.ASSERT_NOT and value[0] < 0:
            return [*guards, ("lookbehind", self.all_of(list(value[1])))]
        if operation in _ONE:
            return [*guards, ("before", _possible(item, self._flags))]
        if operation is codes.SUBPATTERN:
            for inner in value[3]:
                guards = self._guarded(inner, guards)
            return guards
        if operation in _REPEATS and value[0] > 0:
            for inner in value[2]:
                guards = self._guarded(inner, guards)
        return guards

    def first(self, items: Sequence[Item]) -> tuple[Chars, bool]:
        """How a sequence may begin, and whether it may be empty."""
        found: Chars = frozenset()
        for operation, value in items:
            if operation in _ONE:
                return found | _possible((operation, value), self._flags), False
            if operation in (codes.AT, codes.ASSERT, codes.ASSERT_NOT):
                continue
            inner, is_nullable = self._first_of(operation, value)
            found |= inner
            if not is_nullable:
                return found, False
        return found, True

    def _first_of(self, operation: Any, value: Any) -> tuple[Chars, bool]:
        if operation in _REPEATS:
            inner, is_nullable = self.first(list(value[2]))
            return inner, is_nullable or value[0] == 0
        if operation is codes.SUBPATTERN:
            return self.first(list(value[3]))
        if operation is codes.ATOMIC_GROUP:
            return self.first(list(value))
        if operation is codes.BRANCH:
            each = [self.first(list(branch)) for branch in value[1]]
            return frozenset().union(*(chars for chars, _ in each)), any(nullable for _, nullable in each)
        return _ALL, True

    def all_of(self, items: Sequence[Item]) -> Chars:
        """All characters that a sequence can take anywhere."""
        found: Chars = frozenset()
        for operation, value in items:
            if operation in _ONE:
                found |= _possible((operation, value), self._flags)
            elif operation in _REPEATS:
                found |= self.all_of(list(value[2]))
            elif operation is codes.SUBPATTERN:
                found |= self.all_of(list(value[3]))
            elif operation is codes.ATOMIC_GROUP:
                found |= self.all_of(list(value))
            elif operation is codes.BRANCH:
                found |= frozenset().union(*(self.all_of(list(branch)) for branch in value[1]))
            elif operation not in (codes.AT, codes.ASSERT, codes.ASSERT_NOT):
                found |= _ALL
        return found

    def _cannot_fail(self, items: Sequence[Item]) -> bool:
        if any(operation in (codes.AT, codes.ASSERT, codes.ASSERT_NOT) for operation, _ in items):
            return False
        return self.first(items)[1]

    @staticmethod
    def _branches(body: Sequence[Item]) -> list[list[Item]]:
        while len(body) == 1 and body[0][0] is codes.SUBPATTERN:
            body = list(body[0][1][3])
        if len(body) == 1 and body[0][0] is codes.BRANCH:
            return [list(branch) for branch in body[0][1][1]]
        return []


def _pairs(items: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    return ((one, other) for index, one in enumerate(items) for other in items[index + 1 :])
