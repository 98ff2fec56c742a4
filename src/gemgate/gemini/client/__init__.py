"""The one door to Google: connections, deadlines, events, and every failure as a `GeminiError`."""
