"""Is the log still what was recorded? Checked offline, with nothing but the public key: the log, its topic, or an export."""
