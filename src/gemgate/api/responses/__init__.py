"""`/responses`: OpenAI's Responses API."""
