"""Where Tillstream is broken on purpose."""
