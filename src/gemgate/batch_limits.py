"""What a batch may be, for the server that runs it and for the command that sends it, which imports no server.

Source: https://platform.openai.com/docs/api-reference/batch.
"""

ENDPOINTS = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/moderations", "/v1/responses")
"""What the lines of a batch may call."""

MAX_BATCH_BYTES = 209_715_200
"""Of a batch's input."""

FINAL = frozenset({"completed", "failed", "expired", "cancelled"})
"""Statuses that a batch does not leave."""
