"""The worker of a service: from records of a topic to rows, reactions and dead letters, one batch in one transaction."""
