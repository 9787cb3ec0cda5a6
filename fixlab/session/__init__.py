"""The session core: inputs and times in; bytes, events and transitions out. No I/O."""
