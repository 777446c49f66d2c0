"""The networks of a GPT-SoVITS voice: ids and features in, features and samples out."""
