"""The XBee API protocol, sans-I/O: bytes in, frames out; no socket, no clock, no Twisted.

`framing` finds frame data in a byte stream, `frames` gives it types, and `at`, `status`,
`samples`, `address` and `devices` say what the values in it mean.
"""
