"""The control port: HTTP, and what is there beside the calls."""
