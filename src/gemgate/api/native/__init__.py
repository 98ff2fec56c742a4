"""Google's own paths, passed through: the google-genai SDKs with the gateway as their base URL."""
