#!/usr/bin/env bash
# Follow one partition of a topic of Tillstream with kcat, hold each event against its published schema, and go on where the last run ended.
#
#   apt install kcat; pip install check-jsonschema
#   ./subscribe.sh localhost:9092 till.order 0 contracts/events positions [FROM]
#
# One line for each event: partition/offset, id, type, content. It leaves at the end of the partition; without -e kcat would wait for more.
set -euo pipefail

kafka=$1 topic=$2 partition=$3 schemas=$4 positions=$5 start=${6:-0}
mkdir -p "$positions"
position=$positions/$topic-$partition
[ -e "$position" ] && start=$(<"$position")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# %h writes headers as name=value,name=value; the content is the last field, so that tabs in it do no harm.
kcat -C -q -e -b "$kafka" -t "$topic" -p "$partition" -o "$start" -f '%o\t%h\t%s\n' |
while IFS=$'\t' read -r offset headers content; do
  attribute() { grep -oP "(?:^|,)ce_$1=\K[^,]*" <<<"$headers"; }
  dataschema=$(attribute dataschema)
  schema=$schemas/$(basename "$(dirname "$dataschema")")/$(basename "$dataschema")
  if [ -e "$schema" ]; then
    printf '%s' "$content" >"$work/event.json"
    if ! check-jsonschema --schemafile "$schema" "$work/event.json" >"$work/complaint" 2>&1; then
      echo "$partition/$offset is not what its schema says" >&2
      exit 1
    fi
    printf '%s/%s\t%s\t%s\t%s\n' "$partition" "$offset" "$(attribute id)" "$(attribute type)" "$content"
  else
    echo "skipped: no schema of $(attribute type)" >&2
  fi
  echo $((offset + 1)) >"$position.new"
  mv "$position.new" "$position" # whole or not at all, whenever we are killed
done
