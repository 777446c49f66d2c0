"""Says what a file is that is no checkpoint, from its first bytes.

In: the beginning of a file and its size.  Out: a sentence for the person who has the file.  Knows
nothing of checkpoints; pure, any thread.
"""

# (how such a file begins, what it is); the first that fits is taken.
_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (
        b"version https://git-lfs",
        "a Git LFS pointer, not the file itself: fetch it with `git lfs pull` or download it",
    ),
    (
        b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19",
        "a file of the old torch format, which is a bare pickle and is not read: "
        "load it with a torch that you trust it to, and save it again",
    ),
    *(
        (bytes([0x80, protocol]), "a bare pickle, which is not read: it could run any program")
        for protocol in range(2, 6)
    ),
    (b"\x1f\x8b", "a gzip archive: unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it first"),
    (b"Rar!", "a RAR archive: unpack it first"),
    (b"RIFF", "a sound file (RIFF)"),
    (b"fLaC", "a sound file (FLAC)"),
    (b"OggS", "a sound file (Ogg)"),
    (b"ID3", "a sound file (MP3)"),
    (b"GGUF", "a GGUF model, not a GPT-SoVITS one"),
)


def what_is(head: bytes, size_bytes: int) -> str:
    """What a file is that begins with `head` and is neither a torch archive nor safetensors."""
    if size_bytes == 0:
        return "an empty file (0 bytes): the download or the copy failed"
    if size_bytes < 64:
        return f"a file of {size_bytes} bytes: cut off right after its beginning"
    for beginning, meaning in _BEGINNINGS:
        if head.startswith(beginning):
            return meaning
    text = head[:512].lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return "a web page, not a checkpoint: the server answered with it instead of the file"
    if text.startswith(b"{"):
        return "a JSON text, not a checkpoint: perhaps a server's error message"
    if not any(head):
        return "a file of zeros: a download that was begun and never filled"
    try:
        head[:256].decode("ascii")
    except UnicodeDecodeError:
        return "no checkpoint of any known format: neither a torch archive nor safetensors"
    return "a text file, not a checkpoint"
