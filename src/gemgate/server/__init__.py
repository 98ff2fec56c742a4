"""The process: uvicorn as the gateway runs it, sockets, signals."""
