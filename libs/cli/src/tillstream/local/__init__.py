"""A whole Tillstream on one machine: the embedded parts, the services, and what stands in for the world outside."""
