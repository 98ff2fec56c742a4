"""What the translations of several endpoints share. Pure: no network, no event loop, no web framework."""
