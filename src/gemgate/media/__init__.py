"""Images, audio, video and documents on their way to Google.

`inline` is the pure half, `fetch` the one module that opens connections.
"""
