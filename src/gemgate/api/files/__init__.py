"""`/files` and `/uploads`: what callers keep at the gateway."""
