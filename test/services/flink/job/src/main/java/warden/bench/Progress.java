package warden.bench;

import java.util.concurrent.atomic.AtomicLong;

/** Says on standard output how many events were counted: the subtasks of a TaskManager share this class. */
final class Progress {
  private static final long STEP = 5_000;
  private static final AtomicLong COUNTED = new AtomicLong();

  private Progress() {}

  static void counted() {
    var now = COUNTED.incrementAndGet();
    if (now % STEP == 0) System.out.println("counted " + now);
  }
}
