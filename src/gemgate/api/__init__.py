"""The endpoints. A folder each: `wire` (what callers send), the translation (pure), `routes` (the I/O around it)."""
