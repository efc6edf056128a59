"""Faults on real parts: two instances of every service that matters, a proxy on every edge, a history kept outside, an oracle."""
