"""Who may use Kafka for what: principals, their rules and limits, written to a broker or as resources for Strimzi."""
