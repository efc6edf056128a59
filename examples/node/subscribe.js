// Follow a topic of Tillstream from any offset, hold each event against its published schema, and go on where the last run ended.
//
//   npm ci
//   node subscribe.js --kafka localhost:9092 --topic till.order --schemas contracts/events --positions positions.json
//
// One line of JSON for each event. kafkajs reads in a consumer group only; the positions are ours all the same, kept in a file.

import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import Ajv from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { Kafka, logLevel } from "kafkajs";

const { values: given } = parseArgs({
  options: {
    kafka: { type: "string" },
    topic: { type: "string" },
    schemas: { type: "string" },
    positions: { type: "string" },
    group: { type: "string", default: "subscriber.node" },
    from: { type: "string", default: "0" },
    "until-end": { type: "boolean", default: false },
  },
});

const ajv = new Ajv({ strict: false });
addFormats(ajv);
const known = new Map();

// `dataschema` of an event ends in <service>/<Event>.v<major>.json; one that is not there was published after our copy of the contracts.
function schemaOf(dataschema) {
  if (!known.has(dataschema)) {
    const file = join(given.schemas, ...dataschema.split("/").slice(-2));
    known.set(dataschema, existsSync(file) ? ajv.compile(JSON.parse(readFileSync(file, "utf8"))) : null);
  }
  return known.get(dataschema);
}

function handle(partition, message) {
  const attribute = (name) => message.headers[`ce_${name}`]?.toString();
  const valid = schemaOf(attribute("dataschema"));
  if (!valid) {
    console.error(`skipped: no schema of ${attribute("type")}`);
    return;
  }
  const data = JSON.parse(message.value.toString());
  if (!valid(data)) {
    const [{ keyword, instancePath }] = valid.errors;
    throw new Error(`${partition}/${message.offset} is not what its schema says: ${keyword} at ${instancePath || "$"}`);
  }
  const { offset } = message;
  const event = { id: attribute("id"), type: attribute("type"), subject: attribute("subject"), data };
  console.log(JSON.stringify({ partition, offset: Number(offset), ...event }));
}

function keep(offsets) {
  writeFileSync(`${given.positions}.new`, JSON.stringify(offsets));
  renameSync(`${given.positions}.new`, given.positions); // whole or not at all, whenever we are killed
}

const offsets = existsSync(given.positions) ? JSON.parse(readFileSync(given.positions, "utf8")) : {};
const kafka = new Kafka({ clientId: "subscriber", brokers: given.kafka.split(","), logLevel: logLevel.NOTHING });
const admin = kafka.admin();
await admin.connect();
const partitions = await admin.fetchTopicOffsets(given.topic);
await admin.disconnect();

const next = new Map(partitions.map(({ partition }) => [partition, offsets[partition] ?? Number(given.from)]));
const left = new Map(partitions.filter(({ partition, high }) => next.get(partition) < Number(high)).map(({ partition, high }) => [partition, Number(high)]));
const consumer = kafka.consumer({ groupId: given.group });

async function leave(code) {
  await consumer.disconnect();
  process.exit(code);
}

if (given["until-end"] && left.size === 0) process.exit(0);
await consumer.connect();
await consumer.subscribe({ topic: given.topic, fromBeginning: true });
await consumer.run({
  autoCommit: false,
  eachMessage: async ({ partition, message }) => {
    if (Number(message.offset) < next.get(partition)) return;
    try {
      handle(partition, message);
    } catch (error) {
      console.error(error.message);
      await new Promise((resolve) => setImmediate(resolve));
      process.exit(1);
    }
    next.set(partition, Number(message.offset) + 1);
    offsets[partition] = next.get(partition);
    keep(offsets);
    if (next.get(partition) >= left.get(partition)) left.delete(partition);
    if (given["until-end"] && left.size === 0) setImmediate(() => leave(0));
  },
});
for (const [partition, offset] of next) consumer.seek({ topic: given.topic, partition, offset: String(offset) });
