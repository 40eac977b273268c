"""The control API: what people and programs ask of the running gateway, and how they ask it."""

#: The TCP port of the control interface, unless the user says another.
DEFAULT_PORT = 27000
