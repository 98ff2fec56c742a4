"""Everything known about Google's Gemini API; nothing about the API that callers speak."""
