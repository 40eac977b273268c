"""Modbus: masters over TCP, and slaves behind nodes."""
