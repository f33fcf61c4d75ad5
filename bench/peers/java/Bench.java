import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.Callback;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.utils.AppInfoParser;

/**
 * Measures Kafka's own client. Workloads of many messages are run twice in one process, and the second time counts: by
 * then the code is compiled.
 */
public class Bench {
    static final int WARM = 200;

    final Map<String, String> args = new HashMap<>();
    final String topic;
    final int messages;
    final int size;
    final byte[][] pool;

    Bench(String[] words) {
        for (int i = 0; i + 1 < words.length; i += 2) {
            args.put(words[i].substring(2), words[i + 1]);
        }
        topic = args.get("topic");
        messages = number("messages", 0);
        size = number("size", 100);
        pool = pool(size);
    }

    public static void main(String[] words) throws Exception {
        var bench = new Bench(words);
        bench.limit(bench.number("timeout-s", 120));
        switch (bench.args.get("mode")) {
            case "produce" -> bench.produce();
            case "consume" -> bench.consume();
            case "latency" -> bench.latency();
            case "e2e" -> bench.endToEnd();
            default -> System.out.printf(
                "{\"client\":\"java\",\"workload\":\"%s\",\"skip\":\"not made: ours has no groups to compare with\"}%n",
                bench.args.get("workload"));
        }
    }

    int number(String name, int otherwise) {
        return args.containsKey(name) ? Integer.parseInt(args.get(name)) : otherwise;
    }

    /** Ends the process when its time is up. */
    void limit(int seconds) {
        var watch = new Thread(() -> {
            try {
                Thread.sleep(seconds * 1000L);
            } catch (InterruptedException e) {
                return;
            }
            System.err.println("not done after " + seconds + " s");
            Runtime.getRuntime().halt(3);
        });
        watch.setDaemon(true);
        watch.start();
    }

    static final String[] NAMES = ("id kind state owner amount price weight height north east speed level signal sensor "
        + "station route driver vehicle cargo depot open closed waiting moving late early morning evening red green blue "
        + "grey").split(" ");

    /** The values: the same bytes in every language. Their number is a power of two. */
    static byte[][] pool(int size) {
        var pool = new byte[size <= 256 ? 65_536 : 16_384][];
        long state = 42;
        for (int i = 0; i < pool.length; i++) {
            var value = new StringBuilder(size + 32);
            while (value.length() < size) {
                // splitmix64
                state += 0x9e3779b97f4a7c15L;
                long bits = state;
                bits = (bits ^ bits >>> 30) * 0xbf58476d1ce4e5b9L;
                bits = (bits ^ bits >>> 27) * 0x94d049bb133111ebL;
                bits ^= bits >>> 31;
                value.append(NAMES[(int) (bits & 31)]).append('=');
                if ((bits >>> 5 & 1) == 1) {
                    value.append((bits >>> 16) % 100_000);
                } else {
                    value.append(NAMES[(int) (bits >>> 8 & 31)]);
                }
                value.append(';');
            }
            pool[i] = Arrays.copyOf(value.toString().getBytes(StandardCharsets.US_ASCII), size);
        }
        return pool;
    }

    byte[] value(int number) {
        return pool[number & pool.length - 1];
    }

    KafkaProducer<byte[], byte[]> producer(int lingerMs) {
        Map<String, Object> config = Map.of(
            "bootstrap.servers", args.get("bootstrap"),
            "acks", "all",
            "linger.ms", lingerMs,
            "batch.size", number("batch-bytes", 1_000_000),
            "buffer.memory", 64L << 20,
            "compression.type", args.getOrDefault("codec", "none"));
        return new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
    }

    /** Reads from the beginning of all partitions. */
    KafkaConsumer<byte[], byte[]> consumer(List<TopicPartition> partitions) {
        Map<String, Object> config = Map.of(
            "bootstrap.servers", args.get("bootstrap"),
            "enable.auto.commit", false);
        var consumer = new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        consumer.assign(partitions);
        consumer.seekToBeginning(partitions);
        return consumer;
    }

    List<TopicPartition> partitions() {
        return IntStream.range(0, number("partitions", 6)).mapToObj(p -> new TopicPartition(topic, p)).toList();
    }

    void produce() throws Exception {
        try (var producer = producer(number("linger-ms", 5))) {
            producer.send(new ProducerRecord<>(topic, value(0))).get();
            for (int round = 1; round <= 2; round++) {
                var written = new LongAdder();
                var failed = new LongAdder();
                Callback done = (metadata, error) -> (error == null ? written : failed).increment();
                var span = new Span();
                for (int number = 0; number < messages; number++) {
                    producer.send(new ProducerRecord<>(topic, value(number)), done);
                }
                producer.flush();
                if (round == 2) {
                    print(span, written.sum(), failed.sum(), "\"sent_total\":" + (2L * messages + 1));
                }
            }
        }
    }

    void consume() throws Exception {
        var partitions = partitions();
        for (int round = 1; round <= 2; round++) {
            var span = new Span();
            long count = 0;
            long sum = 0;
            try (var consumer = consumer(partitions)) {
                while (count < messages) {
                    for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofSeconds(1))) {
                        sum += record.value().length + (record.value()[0] & 0xff);
                        count++;
                    }
                }
                if (round == 2) {
                    print(span, count, 0, "\"sum\":" + sum);
                }
            }
        }
    }

    void latency() throws Exception {
        try (var producer = producer(0)) {
            producer.send(new ProducerRecord<>(topic, value(0))).get();
            for (int round = 1; round <= 2; round++) {
                var us = new long[messages];
                var span = new Span();
                for (int number = 0; number < messages; number++) {
                    long from = System.nanoTime();
                    producer.send(new ProducerRecord<>(topic, value(number))).get();
                    us[number] = (System.nanoTime() - from) / 1_000;
                }
                if (round == 2) {
                    print(span, messages, 0, percentiles(us));
                }
            }
        }
    }

    byte[] stamp() {
        var value = new byte[Math.max(size, 8)];
        ByteBuffer.wrap(value).order(ByteOrder.LITTLE_ENDIAN).putLong(System.nanoTime());
        return value;
    }

    static long unstamp(byte[] value) {
        return (System.nanoTime() - ByteBuffer.wrap(value).order(ByteOrder.LITTLE_ENDIAN).getLong()) / 1_000;
    }

    void endToEnd() throws Exception {
        try (var consumer = consumer(partitions()); var producer = producer(0)) {
            producer.send(new ProducerRecord<>(topic, stamp())).get();
            int total = messages + WARM;
            var failed = new AtomicLong();
            var span = new Span();
            var writing = new Thread(() -> {
                long start = System.nanoTime();
                long pause = 1_000_000_000L / number("rate", 500);
                for (int number = 0; number < total; number++) {
                    long left = start + number * pause - System.nanoTime();
                    if (left > 0) {
                        java.util.concurrent.locks.LockSupport.parkNanos(left);
                    }
                    producer.send(new ProducerRecord<>(topic, stamp()), (metadata, error) -> {
                        if (error != null) {
                            failed.incrementAndGet();
                        }
                    });
                }
            });
            writing.start();
            var us = new long[messages];
            int count = 0;
            while (count < total + 1) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofSeconds(1))) {
                    count++;
                    if (count > WARM + 1) {
                        us[count - WARM - 2] = unstamp(record.value());
                    }
                }
            }
            writing.join();
            print(span, messages, failed.get(), percentiles(us));
        }
    }

    static String percentiles(long[] us) {
        Arrays.sort(us);
        return String.format("\"p50_us\":%d,\"p90_us\":%d,\"p99_us\":%d,\"max_us\":%d",
            at(us, 0.5), at(us, 0.9), at(us, 0.99), at(us, 1));
    }

    static long at(long[] sorted, double part) {
        return sorted[(int) Math.round((sorted.length - 1) * part)];
    }

    /** Wall and CPU time of the process since a moment; CPU in ticks of 10 ms, which is fine over seconds. */
    static class Span {
        final long from = System.nanoTime();
        final double user;
        final double system;

        Span() throws IOException {
            String stat = Files.readString(Path.of("/proc/self/stat"));
            String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
            user = Long.parseLong(fields[11]) / 100.0;
            system = Long.parseLong(fields[12]) / 100.0;
        }
    }

    void print(Span span, long count, long errors, String extra) throws IOException {
        var now = new Span();
        double wall = (now.from - span.from) / 1e9;
        double user = now.user - span.user;
        double system = now.system - span.system;
        System.out.printf(Locale.ROOT, "{\"client\":\"java\",\"version\":\"%s\",\"workload\":\"%s\",\"messages\":%d,"
                + "\"bytes\":%d,\"wall_s\":%.4f,\"cpu_user_s\":%.3f,\"cpu_sys_s\":%.3f,\"max_rss_mb\":%.1f,"
                + "\"msgs_per_s\":%.0f,\"cpu_us_per_msg\":%.4f,\"errors\":%d,\"extra\":{%s}}%n",
            AppInfoParser.getVersion(), args.get("workload"), count, count * size, wall, user, system, peakMib(),
            count / wall, (user + system) * 1e6 / Math.max(count, 1), errors, extra);
    }

    static double peakMib() throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
            if (line.startsWith("VmHWM:")) {
                return Double.parseDouble(line.split("\\s+")[1]) / 1024;
            }
        }
        return 0;
    }
}
