"""Files brought into the services: what is in them, sending them on, and what became of every row."""
