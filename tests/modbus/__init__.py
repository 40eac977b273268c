"""Modbus masters, strict slaves and the air between them: what docs/modbus.rst has of numbers."""
