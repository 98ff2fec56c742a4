"""HTTP towards callers, whatever they ask for: middleware, bodies, server-sent events, error answers."""
