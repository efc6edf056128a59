"""A deterministic simulator: our own code on a model of Kafka, PostgreSQL and time, every step of it chosen by a seed."""
