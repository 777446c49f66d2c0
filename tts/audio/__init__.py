"""Arithmetic on samples, between an engine and the wire; pure, any thread."""
