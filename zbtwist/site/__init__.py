"""What this gateway says and hears at an MQTT broker, where it is a site among others.

Nothing of it is imported unless ``[mqtt]`` names a broker.
"""
