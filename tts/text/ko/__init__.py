"""Korean text to phones, as the GPT-SoVITS models were trained on it."""
