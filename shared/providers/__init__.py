"""One folder an ESP: how to send through it and read its events."""
