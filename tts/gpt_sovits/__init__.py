"""Cloned voices behind the engine protocol.

`catalogue` knows which voices there are (without torch), `loading` brings them into memory,
`voice` is one in memory, `speaker` speaks a request with it, and `engine` holds them together.
"""
