-- On a topic that was wiped another record has the offset of one that is buried: it is told by its bytes, and neither must hide the other.
ALTER TABLE dead_letter DROP CONSTRAINT dead_letter_consumer_topic_partition_offset_key;
CREATE UNIQUE INDEX dead_letter_record
    ON dead_letter (consumer, topic, partition, "offset", coalesce(event_id, ''), md5(coalesce(value, '')));
