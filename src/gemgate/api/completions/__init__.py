"""`POST /v1/completions`, the legacy API: each prompt is a chat of one turn."""
