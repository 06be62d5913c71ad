package warden.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import java.io.IOException;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.serialization.AbstractDeserializationSchema;
import org.apache.flink.api.common.serialization.SimpleStringSchema;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.streaming.api.functions.windowing.ProcessWindowFunction;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;
import org.apache.flink.util.OutputTag;

/**
 * Loan events to two metrics an hour: `loan`, each user once by their best outcome per business line and product, beside the
 * counts of all events; and `channel`, all events per channel and outcome. One JSON document per series and hour goes to Kafka.
 *
 * <p>Arguments: --brokers, --topic, --out TOPIC, --backend hashmap|rocksdb, --parallelism N, --metrics both|loan
 */
public final class LoanJob {
  private static final Duration OUT_OF_ORDERNESS = Duration.ofSeconds(20);
  private static final Duration LATENESS = Duration.ofMinutes(10);

  private LoanJob() {}

  public static void main(String[] args) throws Exception {
    Map<String, String> options = new HashMap<>();
    for (int i = 0; i + 1 < args.length; i += 2) options.put(args[i].substring(2), args[i + 1]);
    var env = StreamExecutionEnvironment.getExecutionEnvironment(settings(options.get("backend")));
    env.setParallelism(Integer.parseInt(options.get("parallelism")));
    var source = KafkaSource.<Loan>builder().setBootstrapServers(options.get("brokers")).setTopics(options.get("topic"))
        .setGroupId("warden-bench").setStartingOffsets(OffsetsInitializer.earliest())
        .setBounded(OffsetsInitializer.latest()).setValueOnlyDeserializer(new Parse()).build();
    var watermarks = WatermarkStrategy.<Loan>forBoundedOutOfOrderness(OUT_OF_ORDERNESS)
        .withTimestampAssigner((loan, record) -> loan.eventTime).withIdleness(Duration.ofMinutes(1));
    var loans = env.fromSource(source, watermarks, "loans")
        .filter(loan -> "loan".equals(loan.event) && loan.amount >= 0);
    var changes = loans.keyBy(Keys.UserKey::new, Types.POJO(Keys.UserKey.class))
        .process(new KeepBest(), Types.POJO(Change.class)).name("keep best");
    write(perHour(changes, change -> new Keys.SeriesKey(change.bizLine, change.product), "loan", new CountUsers()), options);
    if ("both".equals(options.get("metrics"))) {
      write(perHour(loans, loan -> new Keys.SeriesKey(loan.channel, loan.status), "channel", new CountEvents()), options);
    }
    env.execute("loans");
  }

  private static Configuration settings(String backend) {
    var settings = new Configuration();
    settings.setString("state.backend.type", backend);
    settings.setString("execution.checkpointing.incremental", "true");
    settings.setString("execution.checkpointing.interval", "10 s");
    settings.setString("execution.checkpointing.externalized-checkpoint-retention", "DELETE_ON_CANCELLATION");
    settings.setString("pipeline.object-reuse", "true");
    return settings;
  }

  private static <T> DataStream<String> perHour(DataStream<T> stream,
      KeySelector<T, Keys.SeriesKey> key, String metric, AggregateFunction<T, long[], long[]> counts) {
    var late = new OutputTag<T>("late", stream.getType());
    var longs = PrimitiveArrayTypeInfo.LONG_PRIMITIVE_ARRAY_TYPE_INFO;
    var panes = stream.keyBy(key, Types.POJO(Keys.SeriesKey.class)).window(TumblingEventTimeWindows.of(Duration.ofHours(1)))
        .allowedLateness(LATENESS).sideOutputLateData(late)
        .aggregate(counts, new Emit(metric), longs, longs, Types.STRING).name(metric);
    panes.getSideOutput(late).sinkTo(new DiscardingSink<>()).name("late " + metric);
    return panes;
  }

  private static void write(DataStream<String> panes, Map<String, String> options) {
    var serializer = KafkaRecordSerializationSchema.<String>builder().setTopic(options.get("out"))
        .setValueSerializationSchema(new SimpleStringSchema()).build();
    panes.sinkTo(KafkaSink.<String>builder().setBootstrapServers(options.get("brokers")).setRecordSerializer(serializer)
        .setDeliveryGuarantee(DeliveryGuarantee.AT_LEAST_ONCE).build()).name("panes");
  }

  /** A document that can't be read is left out. */
  static class Parse extends AbstractDeserializationSchema<Loan> {
    private transient ObjectReader reader;

    Parse() {
      super(Loan.class);
    }

    @Override public void open(InitializationContext context) {
      reader = new ObjectMapper().readerFor(Loan.class);
    }

    @Override public Loan deserialize(byte[] document) {
      try {
        return reader.readValue(document);
      } catch (IOException unreadable) {
        return null;
      }
    }
  }

  /** Users whose kept outcome is fail, success; events; events that succeeded. */
  static class CountUsers implements AggregateFunction<Change, long[], long[]> {
    @Override public long[] createAccumulator() {
      return new long[4];
    }

    @Override public long[] add(Change change, long[] counts) {
      counts[0] += change.fail;
      counts[1] += change.success;
      counts[2]++;
      counts[3] += change.rawSuccess;
      return counts;
    }

    @Override public long[] getResult(long[] counts) {
      return counts;
    }

    @Override public long[] merge(long[] one, long[] other) {
      for (int i = 0; i < one.length; i++) one[i] += other[i];
      return one;
    }
  }

  /** Events. */
  static class CountEvents implements AggregateFunction<Loan, long[], long[]> {
    @Override public long[] createAccumulator() {
      return new long[1];
    }

    @Override public long[] add(Loan loan, long[] counts) {
      counts[0]++;
      return counts;
    }

    @Override public long[] getResult(long[] counts) {
      return counts;
    }

    @Override public long[] merge(long[] one, long[] other) {
      one[0] += other[0];
      return one;
    }
  }

  static class Emit extends ProcessWindowFunction<long[], String, Keys.SeriesKey, TimeWindow> {
    private final String metric;

    Emit(String metric) {
      this.metric = metric;
    }

    @Override public void process(Keys.SeriesKey key, Context context, Iterable<long[]> counts, Collector<String> out) {
      out.collect("{\"metric\":\"" + metric + "\",\"hour\":" + context.window().getStart() + ",\"series\":[\"" + key.first
          + "\",\"" + key.second + "\"],\"counts\":" + Arrays.toString(counts.iterator().next()) + "}");
    }
  }
}
