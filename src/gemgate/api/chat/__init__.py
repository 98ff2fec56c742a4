"""`POST /v1/chat/completions`, translated to `generateContent` and `streamGenerateContent`."""
