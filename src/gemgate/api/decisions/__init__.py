"""`POST /v1/decisions`, by Google's Decisions API."""
