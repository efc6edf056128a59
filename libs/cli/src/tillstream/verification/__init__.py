"""Is everything as it must be? Each log without gap, its topic equal to it byte for byte, every read model equal to its rebuild."""
