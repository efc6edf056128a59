"""Events as people look at them: read from topics and logs, found, counted, told in a line, personal fields masked."""
