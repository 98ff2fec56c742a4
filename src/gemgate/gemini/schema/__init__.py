"""From any JSON Schema to the one that Gemini takes."""
