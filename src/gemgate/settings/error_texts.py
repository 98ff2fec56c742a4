"""Sentences about settings that are wrong, for the person who has to correct them."""

import difflib
import os
import re

from pydantic import SecretStr, ValidationError
from pydantic_settings import SettingsError

from gemgate.settings.client import ClientSettings
from gemgate.settings.fields import Secrets
from gemgate.settings.rules import NOT_JSON, Settings
from gemgate.settings.variables import PREFIX, variable

_SECRET_TYPES = (Secrets, SecretStr | None)


def problems(error: ValidationError | SettingsError) -> list[str]:
    """What is wrong with the settings, a sentence each, without the value of any secret."""
    if isinstance(error, SettingsError):
        found = re.search(r'field "(\w+)"', str(error))
        return [f"{variable(found[1])} is not valid JSON." if found else f"{error}."]
    sentences = []
    for detail in error.errors(include_url=False):
        name = str(detail["loc"][0]).lower() if detail["loc"] else ""
        text = detail["msg"].removeprefix("Value error, ").rstrip(".")
        is_secret = Settings.model_fields[name].annotation in _SECRET_TYPES if name in Settings.model_fields else True
        given = "" if is_secret or detail["type"] == "value_error" else f", but it is {str(detail['input'])[:80]!r}"
        if text == NOT_JSON:
            sentences.append(f"{variable(name)} {NOT_JSON}.")
            continue
        sentences.append(f"{variable(name)}: {text}{given}." if name else f"{text[:1].upper()}{text[1:]}.")
    return sentences


def misspelt() -> list[str]:
    """A sentence for each variable of the environment that begins like a setting and has no effect."""
    known = [variable(name) for name in (*Settings.model_fields, *ClientSettings.model_fields)]
    sentences = []
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in known:
            close = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
            hint = f" Did you mean {close[0]}?" if close else ""
            sentences.append(f"{name} is not a setting.{hint}")
    return sentences
