#!/bin/bash
# As the image apache/kafka: KAFKA_NODE_ID=1 becomes node.id=1, and CLUSTER_ID is given to files that are new.
set -eu
settings=/var/lib/kafka/data/server.properties
compgen -e | grep '^KAFKA_' | grep -v '^KAFKA_HEAP_OPTS$' | while read -r name; do
    key=$(printf %s "${name#KAFKA_}" | tr 'A-Z_' 'a-z.')
    printf '%s=%s\n' "$key" "${!name}"
done > "$settings"
grep -q '^log.dirs=' "$settings" || echo log.dirs=/var/lib/kafka/data >> "$settings"
java=$(find /tools/lib -path '*java-runtime/bin/java')
run=("$java" -XX:+UseSerialGC --enable-native-access=ALL-UNNAMED -Dlog4j2.configurationFile=/opt/kafka/config/log4j2.properties -cp '/opt/kafka/libs/*')
"${run[@]}" -Xmx128m kafka.tools.StorageTool format --ignore-formatted --cluster-id "${CLUSTER_ID:-5L6g3nShT-eMCtK--X86sw}" --config "$settings"
# shellcheck disable=SC2086 # several options in one variable
exec "${run[@]}" ${KAFKA_HEAP_OPTS:--Xmx512m} kafka.Kafka "$settings"
