"""`POST /v1/images/generations` and `/v1/images/edits`, by Gemini's image models and by Imagen."""
