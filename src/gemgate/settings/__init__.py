"""The only reader of the environment: the settings, their names as variables, and what is wrong with them."""

from gemgate.settings.client import ClientSettings
from gemgate.settings.error_texts import misspelt, problems
from gemgate.settings.rules import LOOPBACK_HOSTS, UNIX, Settings
from gemgate.settings.variables import trace_exporters, variable

__all__ = [
    "LOOPBACK_HOSTS",
    "UNIX",
    "ClientSettings",
    "Settings",
    "misspelt",
    "problems",
    "trace_exporters",
    "variable",
]
