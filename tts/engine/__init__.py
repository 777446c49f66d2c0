"""What every voice engine is (`types`) and the thread that owns one (`worker`)."""
