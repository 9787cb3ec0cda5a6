"""Any FIX log into a frame: reading, following, captures."""
