"""Text before it is sound: words, spans and sentences of a request's text; pure, any thread."""
