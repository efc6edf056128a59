"""The relay of a service: its log, published in order."""
