"""What people write around and into values of settings: blanks, line ends and quotes."""

from collections.abc import Mapping, Sequence

from pydantic import SecretStr

_QUOTES = "\"'`\u2018\u2019\u201c\u201d"


def trimmed(values: Mapping[str, object]) -> dict[str, object]:
    """Settings without the blanks and line ends around their values; one of blanks alone counts as absent."""
    found: dict[str, object] = {}
    for name, value in values.items():
        if isinstance(value, str):
            text = value.strip()
            if text or not value:
                found[name] = text
        else:
            found[name] = value
    return found


def check_keys(keys: Sequence[SecretStr]) -> None:
    """Check that keys can be sent in a header.

    Raises:
        ValueError: one of them holds what no key holds; which character it is, and not the key.
    """
    for number, key in enumerate(keys, 1):
        which = f"key {number} of {len(keys)}" if len(keys) > 1 else "the key"
        for letter in key.get_secret_value():
            if letter in _QUOTES:
                raise ValueError(f"{which} holds a quotation mark: write it without quotes")
            if not "!" <= letter <= "~":
                what = "a blank or a line end" if letter.isspace() else f"the character {letter!a}"
                raise ValueError(f"{which} holds {what}, which no key has: several keys are separated by commas")
