"""The local cloud: emulator, ESP sandbox and demo."""
