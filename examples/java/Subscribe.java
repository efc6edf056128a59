// Follow a topic of Tillstream from any offset, hold each event against its published schema, and go on where the last run ended.
//
//   mvn -q dependency:copy-dependencies -DoutputDirectory=jars
//   java -cp 'jars/*' Subscribe.java --kafka localhost:9092 --topic till.order --schemas contracts/events --positions positions.json
//
// One line of JSON for each event. The positions are ours, kept in a file: no consumer group is joined, nothing is committed to Kafka.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.harrel.jsonschema.Validator;
import dev.harrel.jsonschema.ValidatorFactory;
import dev.harrel.jsonschema.providers.JacksonNode;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

public class Subscribe {
    static class NotAsPublished extends RuntimeException {
        NotAsPublished(String message) {
            super(message);
        }
    }

    private final ObjectMapper json = new ObjectMapper();
    private final Validator validator =
            new ValidatorFactory().withJsonNodeFactory(new JacksonNode.Factory()).createValidator();
    private final Map<String, Optional<URI>> known = new HashMap<>();
    private final Path schemas;

    Subscribe(Path schemas) {
        this.schemas = schemas;
    }

    public static void main(String[] arguments) throws IOException {
        var given = new HashMap<String, String>();
        for (int i = 0; i < arguments.length; i++) {
            boolean flag = arguments[i].equals("--until-end");
            given.put(arguments[i], flag ? "yes" : arguments[++i]);
        }
        try {
            new Subscribe(Path.of(given.get("--schemas"))).follow(given);
        } catch (NotAsPublished error) {
            System.err.println(error.getMessage());
            System.exit(1);
        }
    }

    private void follow(Map<String, String> given) throws IOException {
        var file = Path.of(given.get("--positions"));
        var offsets = Files.exists(file) ? (ObjectNode) json.readTree(file.toFile()) : json.createObjectNode();
        long start = Long.parseLong(given.getOrDefault("--from", "0"));
        var settings = new Properties();
        settings.put("bootstrap.servers", given.get("--kafka"));
        settings.put("enable.auto.commit", "false");
        settings.put("auto.offset.reset", "none"); // a position that Kafka no longer has is an error, not a jump
        try (var consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            List<TopicPartition> places = new ArrayList<>();
            consumer.partitionsFor(given.get("--topic")).forEach(info -> places.add(new TopicPartition(info.topic(), info.partition())));
            consumer.assign(places);
            var left = new HashMap<>(consumer.endOffsets(places));
            for (var place : places) {
                long next = offsets.path(String.valueOf(place.partition())).asLong(start);
                consumer.seek(place, next);
                left.computeIfPresent(place, (ignored, end) -> next < end ? end : null);
            }
            while (!left.isEmpty() || !given.containsKey("--until-end")) {
                for (var record : consumer.poll(Duration.ofSeconds(1))) {
                    handle(record);
                    offsets.put(String.valueOf(record.partition()), record.offset() + 1);
                    keep(offsets, file);
                    var place = new TopicPartition(record.topic(), record.partition());
                    left.computeIfPresent(place, (ignored, end) -> record.offset() + 1 < end ? end : null);
                }
            }
        }
    }

    private void handle(ConsumerRecord<byte[], byte[]> record) throws IOException {
        var schema = known.computeIfAbsent(attribute(record, "dataschema"), this::schemaOf);
        if (schema.isEmpty()) {
            System.err.println("skipped: no schema of " + attribute(record, "type"));
            return;
        }
        JsonNode data = json.readTree(record.value());
        var result = validator.validate(schema.get(), data);
        if (!result.isValid()) {
            var first = result.getErrors().get(0);
            throw new NotAsPublished("%d/%d is not what its schema says: %s at %s".formatted(
                    record.partition(), record.offset(), first.getKeyword(), first.getInstanceLocation()));
        }
        var line = json.createObjectNode().put("partition", record.partition()).put("offset", record.offset());
        line.put("id", attribute(record, "id")).put("type", attribute(record, "type")).put("subject", attribute(record, "subject"));
        System.out.println(json.writeValueAsString(line.set("data", data)));
    }

    /** `dataschema` ends in service/Event.vN.json; one that is not there was published after our copy of the contracts was made. */
    private Optional<URI> schemaOf(String dataschema) {
        var parts = dataschema.split("/");
        var file = schemas.resolve(parts[parts.length - 2]).resolve(parts[parts.length - 1]);
        try {
            return Files.exists(file) ? Optional.of(validator.registerSchema(Files.readString(file))) : Optional.empty();
        } catch (IOException error) {
            throw new IllegalStateException(error);
        }
    }

    private static String attribute(ConsumerRecord<byte[], byte[]> record, String name) {
        return new String(record.headers().lastHeader("ce_" + name).value(), StandardCharsets.UTF_8);
    }

    private void keep(ObjectNode offsets, Path file) throws IOException {
        var written = file.resolveSibling(file.getFileName() + ".new");
        json.writeValue(written.toFile(), offsets);
        Files.move(written, file, StandardCopyOption.ATOMIC_MOVE); // whole or not at all, whenever we are killed
    }
}
