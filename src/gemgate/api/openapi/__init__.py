"""The OpenAPI document. It is imported when the first one asks for it, and checks no answer."""
