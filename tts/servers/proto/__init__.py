"""The gRPC contract `tts.proto` and the stubs `generate.py` makes of it."""
