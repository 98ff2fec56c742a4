"""A gateway that serves the OpenAI API and speaks the native Gemini API to Google."""

from importlib.metadata import version

__version__ = version("gemgate")
