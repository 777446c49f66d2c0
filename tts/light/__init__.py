"""Small local voices that run without a GPU or a voice's own weights."""
