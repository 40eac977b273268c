"""A hub: the same gateway, whose radio is an MQTT broker, and whose nodes are those of the gateways
there.

Nothing of it, and nothing of MQTT, is imported unless ``serial`` is an ``mqtt:`` endpoint.
"""
