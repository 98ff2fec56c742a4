"""Calls to Google that go through failures: several keys, retries, a breaker. Knows Google, and nothing of OpenAI."""
