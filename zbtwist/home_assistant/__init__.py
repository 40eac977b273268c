"""The nodes in Home Assistant: it is told by MQTT which devices there are, and makes entities of
what the gateway says of them at the broker.

Nothing of it is imported unless ``[mqtt]`` says ``home-assistant``. What Home Assistant expects is
read in home-assistant 2026.11.0, ``homeassistant/components/mqtt``: ``schemas.py`` and
``discovery.py``.
"""
