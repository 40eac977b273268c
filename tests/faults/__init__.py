"""What the gateway does when something goes wrong: checksummed streams through a whole gateway, its
radio, the air and the nodes, all in memory and on a clock, while faults happen one by one.
"""
