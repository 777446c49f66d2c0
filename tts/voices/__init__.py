"""The voices of a folder: what they are made of, checked, compiled and found again."""
