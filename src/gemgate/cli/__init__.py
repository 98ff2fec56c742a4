"""The command `gemgate`: serve, emulate, check, key, batch."""
