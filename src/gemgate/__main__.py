"""`python -m gemgate` is the command `gemgate`."""

from gemgate.cli import app

app()
