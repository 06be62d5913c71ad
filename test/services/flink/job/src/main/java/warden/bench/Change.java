package warden.bench;

/** What an event changes in the counts of its hour and series. */
public class Change {
  public String bizLine;
  public String product;
  /** Users whose kept outcome is fail; -1 when a better event withdraws one. */
  public int fail;
  /** Users whose kept outcome is success. */
  public int success;
  /** 1 when the event itself is a success. */
  public int rawSuccess;

  public Change() {}
}
