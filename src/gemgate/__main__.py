"""`python -m gemgate` is the command `gemgate`."""

from gemgate.cli.main import app

app()
