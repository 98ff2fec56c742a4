"""Vertex AI: the same models on Google Cloud, behind access tokens in the place of API keys."""
