"""`POST /v1/audio/speech`, by Gemini's models that speak."""
