"""Text of several languages cut into runs of one language each."""
