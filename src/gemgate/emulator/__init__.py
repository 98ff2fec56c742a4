"""A native Gemini that runs offline: for the demo, for tests, and for the CI of applications that use gemgate."""
