"""Parts that the models are built of: tensors in, tensors out, no files and no text."""
