"""The web console: a page for people, and the WebSockets that keep it up to date."""
