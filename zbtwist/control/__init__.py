"""The control API: what people and programs ask of the running gateway, and how they ask it."""
