"""Fuzzers of what strangers send: bytes that libFuzzer makes, into the parsers of our wires.

`python -m tests.fuzz.NAME -runs=1000000` runs one until a run raises, and keeps the bytes that did
it in a file `crash-...`; other options are libFuzzer's (https://llvm.org/docs/LibFuzzer.html).
Each target states what must hold; NAME is websocket, grpc_messages, json_bodies or sdp.
"""
