package warden.bench;

import java.time.Duration;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.StateTtlConfig;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/** Each user once by their best outcome: a success takes the failure that was counted before it back. */
class KeepBest extends KeyedProcessFunction<Keys.UserKey, Loan, Change> {
  private transient ValueState<Boolean> succeeded;

  @Override public void open(OpenContext context) {
    var descriptor = new ValueStateDescriptor<>("succeeded", Types.BOOLEAN);
    // By processing time, the only clock that Flink's TTL has. Cheaper than a timer for each key.
    descriptor.enableTimeToLive(
        StateTtlConfig.newBuilder(Duration.ofMinutes(180)).cleanupInRocksdbCompactFilter(1000).build());
    succeeded = getRuntimeContext().getState(descriptor);
  }

  @Override public void processElement(Loan loan, Context context, Collector<Change> out) throws Exception {
    var before = succeeded.value();
    var isSuccess = loan.isSuccess();
    var change = new Change();
    change.bizLine = loan.bizLine;
    change.product = loan.product;
    change.rawSuccess = isSuccess ? 1 : 0;
    if (before == null) {
      succeeded.update(isSuccess);
      if (isSuccess) change.success = 1;
      else change.fail = 1;
    } else if (isSuccess && !before) {
      succeeded.update(true);
      change.fail = -1;
      change.success = 1;
    }
    out.collect(change);
    Progress.counted();
  }
}
