package warden.bench;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;

/** What the job takes from a document; a Flink POJO, so that it is serialised field by field. */
@JsonIgnoreProperties(ignoreUnknown = true)
public class Loan {
  /** Epoch ms. */
  public long eventTime;
  public String event;
  public String bizLine;
  public String product;
  public String userId;
  public String status;
  public String channel;
  public double amount;

  public Loan() {}

  boolean isSuccess() {
    return "success".equals(status);
  }
}
