"""The log of a service, signed at intervals, so that nobody can change it unnoticed: not even who runs the database."""
