"""FIX on the wire: messages, tags and framing of a byte stream."""
