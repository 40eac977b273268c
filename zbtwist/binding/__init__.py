"""One TCP port per node: its bytes to every client, every client's bytes to it."""
