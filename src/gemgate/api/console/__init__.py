"""The console: pages for a browser that show what the gateway does, and translate requests as they are written."""
