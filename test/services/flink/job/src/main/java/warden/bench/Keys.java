package warden.bench;

import java.util.Objects;

/** Keys as POJOs, which Flink serialises without Kryo. */
public final class Keys {
  private static final long HOUR_MS = 3_600_000L;

  private Keys() {}

  /** A user within an hour of a series: what is counted once. */
  public static class UserKey {
    public String user, bizLine, product, event;
    public long hour;

    public UserKey() {}

    UserKey(Loan loan) {
      user = loan.userId;
      bizLine = loan.bizLine;
      product = loan.product;
      event = loan.event;
      hour = loan.eventTime / HOUR_MS;
    }

    @Override public boolean equals(Object other) {
      return other instanceof UserKey key && hour == key.hour && user.equals(key.user)
          && bizLine.equals(key.bizLine) && product.equals(key.product) && event.equals(key.event);
    }

    @Override public int hashCode() {
      int hash = ((user.hashCode() * 31 + bizLine.hashCode()) * 31 + product.hashCode()) * 31 + event.hashCode();
      return hash * 31 + Long.hashCode(hour);
    }
  }

  /** A series of either metric, by its two dimensions. */
  public static class SeriesKey {
    public String first, second;

    public SeriesKey() {}

    SeriesKey(String first, String second) {
      this.first = first;
      this.second = second;
    }

    @Override public boolean equals(Object other) {
      return other instanceof SeriesKey key && first.equals(key.first) && second.equals(key.second);
    }

    @Override public int hashCode() {
      return Objects.hash(first, second);
    }
  }
}
