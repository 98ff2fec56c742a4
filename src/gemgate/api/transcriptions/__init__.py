"""`POST /v1/audio/transcriptions` and `/translations`, by the model that recognizes speech and by general ones."""
