"""Nodes on an MQTT broker: what they say and are told there, and radios that a broker stands for.

Nothing of it is imported without a ``[mqtt]`` section or an ``mqtt:`` endpoint.
"""
