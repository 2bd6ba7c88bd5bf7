"""What the emulator does differently from AWS, corrected. Runs in the emulator's Python, loaded by `launcher`."""
