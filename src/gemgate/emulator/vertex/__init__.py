"""Vertex AI: the emulator's models on Google Cloud's paths, behind access tokens, and who gives those."""
