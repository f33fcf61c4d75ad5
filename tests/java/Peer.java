import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.zip.CRC32;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.UnsupportedVersionException;
import org.apache.kafka.common.serialization.*;

/**
 * Kafka's own client as the other side of a test. Run from source with the jars of a broker on the class path:
 *
 *   java -cp JARS Peer.java topic   BOOTSTRAP TOPIC PARTITIONS  [KEY=VALUE ...]
 *   java -cp JARS Peer.java produce BOOTSTRAP TOPIC COUNT SIZE  [KEY=VALUE ...]
 *   java -cp JARS Peer.java consume BOOTSTRAP TOPIC COUNT       [KEY=VALUE ...]
 *
 * KEY=VALUE are properties of the client. Each command prints one line and exits with 0, or says on standard error what
 * went wrong and exits with 1:
 *
 *   peer count=N checksum=N PARTITION:COUNT:INCREASING:ORDERED ...
 *
 * INCREASING is true if every offset was above the one before it in its partition, ORDERED if the same holds for the
 * numbers that values of eight bytes and more start with (unsigned, big-endian). The checksum is the sum, modulo 2^64, of
 * the CRC-32 of each value times its partition's number plus one, so it does not depend on the order of partitions.
 *
 * `produce` sends message i to partition i modulo their number. Its value is i in eight bytes, then bytes 31 * i + j at
 * each place j, cut to SIZE. `consume` takes all partitions from their beginning without a group, waits for COUNT messages
 * and then reads on to the end of the log, so that too many show as well.
 */
public class Peer {
    static final long LIMIT_MS = Long.getLong("peer.limit.ms", 60_000);
    static final long END = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(LIMIT_MS);

    public static void main(String[] args) {
        int code = 1;
        try {
            switch (args[0]) {
                case "topic" -> topic(args[2], Integer.parseInt(args[3]), settings(args, 4));
                case "produce" -> produce(args[2], Long.parseLong(args[3]), Integer.parseInt(args[4]), settings(args, 5));
                case "consume" -> consume(args[2], Long.parseLong(args[3]), settings(args, 4));
                default -> throw new IllegalArgumentException("unknown command " + args[0]);
            }
            code = 0;
        } catch (Throwable e) {
            e.printStackTrace();
        }
        // Not by returning: threads of a client that failed to close would keep the process alive.
        System.exit(code);
    }

    static Properties settings(String[] args, int first) {
        Properties all = new Properties();
        all.put("bootstrap.servers", args[1]);
        for (String setting : Arrays.asList(args).subList(first, args.length)) {
            String[] pair = setting.split("=", 2);
            all.put(pair[0], pair[1]);
        }
        return all;
    }

    static void topic(String topic, int partitions, Properties settings) throws Exception {
        try (Admin admin = Admin.create(settings)) {
            try {
                create(admin, new NewTopic(topic, Optional.of(partitions), Optional.empty()));
            } catch (ExecutionException e) {
                if (!(e.getCause() instanceof UnsupportedVersionException)) throw e;
                // Brokers before 2.4 have no default that a request could ask for.
                int brokers = admin.describeCluster().nodes().get(LIMIT_MS, TimeUnit.MILLISECONDS).size();
                create(admin, new NewTopic(topic, partitions, (short) Math.min(3, brokers)));
            }
        }
        print(new TreeMap<>());
    }

    static void create(Admin admin, NewTopic topic) throws Exception {
        admin.createTopics(List.of(topic)).all().get(LIMIT_MS, TimeUnit.MILLISECONDS);
    }

    static void produce(String topic, long count, int size, Properties settings) throws Exception {
        settings.putIfAbsent("acks", "all");
        settings.putIfAbsent("linger.ms", "5");
        settings.putIfAbsent("max.block.ms", Long.toString(LIMIT_MS));
        settings.putIfAbsent("request.timeout.ms", "5000");
        settings.putIfAbsent("delivery.timeout.ms", Long.toString(Math.max(LIMIT_MS, 10_000)));
        SortedMap<Integer, Seen> seen = new TreeMap<>();
        AtomicReference<Exception> failure = new AtomicReference<>();
        var bytes = new ByteArraySerializer();
        try (Producer<byte[], byte[]> producer = new KafkaProducer<>(settings, bytes, bytes)) {
            int partitions = producer.partitionsFor(topic).size();
            for (long i = 0; i < count && failure.get() == null; i++) {
                byte[] value = value(i, size);
                producer.send(new ProducerRecord<>(topic, (int) (i % partitions), null, value), (where, e) -> {
                    // All callbacks come from one thread, and flush orders them before what we do next.
                    if (e != null) failure.compareAndSet(null, e);
                    else seen.computeIfAbsent(where.partition(), p -> new Seen(p)).add(where.offset(), value);
                });
            }
            producer.flush();
        }
        if (failure.get() != null) throw failure.get();
        print(seen);
    }

    static void consume(String topic, long count, Properties settings) throws Exception {
        settings.putIfAbsent("allow.auto.create.topics", "false");
        settings.putIfAbsent("request.timeout.ms", "5000");
        settings.putIfAbsent("auto.offset.reset", "earliest");
        SortedMap<Integer, Seen> seen = new TreeMap<>();
        var bytes = new ByteArrayDeserializer();
        try (Consumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings, bytes, bytes)) {
            List<TopicPartition> all = new ArrayList<>();
            for (PartitionInfo p : consumer.partitionsFor(topic, Duration.ofMillis(LIMIT_MS)))
                all.add(new TopicPartition(topic, p.partition()));
            if (all.isEmpty()) throw new IllegalStateException("there is no topic " + topic);
            consumer.assign(all);
            consumer.seekToBeginning(all);
            long got = 0;
            while (got < count) {
                got += poll(consumer, seen);
                if (System.nanoTime() > END) throw new IllegalStateException("got " + got + " of " + count);
            }
            Map<TopicPartition, Long> ends = consumer.endOffsets(all);
            while (all.stream().anyMatch(p -> consumer.position(p) < ends.get(p))) {
                poll(consumer, seen);
                if (System.nanoTime() > END) throw new IllegalStateException("no end of the log in sight");
            }
        }
        print(seen);
    }

    static int poll(Consumer<byte[], byte[]> consumer, SortedMap<Integer, Seen> seen) {
        ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(200));
        for (ConsumerRecord<byte[], byte[]> record : records)
            seen.computeIfAbsent(record.partition(), p -> new Seen(p)).add(record.offset(), record.value());
        return records.count();
    }

    static byte[] value(long number, int size) {
        byte[] value = new byte[Math.max(size, 8)];
        ByteBuffer.wrap(value).putLong(number);
        for (int j = 8; j < size; j++) value[j] = (byte) (31 * number + j);
        return size < 8 ? Arrays.copyOf(value, size) : value;
    }

    static void print(SortedMap<Integer, Seen> seen) {
        long count = 0, checksum = 0;
        StringBuilder partitions = new StringBuilder();
        for (Seen one : seen.values()) {
            count += one.count;
            checksum += one.checksum;
            partitions.append(' ').append(one.partition).append(':').append(one.count).append(':')
                .append(one.increasing).append(':').append(one.ordered);
        }
        System.out.println("peer count=" + count + " checksum=" + Long.toUnsignedString(checksum) + partitions);
    }

    /** What was seen of one partition. */
    static class Seen {
        final int partition;
        long count, checksum, lastOffset = -1, lastNumber;
        boolean increasing = true, ordered = true, hasNumber;

        Seen(int partition) {
            this.partition = partition;
        }

        void add(long offset, byte[] value) {
            count++;
            increasing &= offset > lastOffset;
            lastOffset = offset;
            if (value == null) return;
            CRC32 crc = new CRC32();
            crc.update(value);
            checksum += crc.getValue() * (partition + 1L);
            if (value.length < 8) return;
            long number = ByteBuffer.wrap(value).getLong();
            ordered &= !hasNumber || Long.compareUnsigned(number, lastNumber) > 0;
            lastNumber = number;
            hasNumber = true;
        }
    }
}
