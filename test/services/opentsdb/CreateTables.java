import java.util.Arrays;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hbase.HBaseConfiguration;
import org.apache.hadoop.hbase.TableName;
import org.apache.hadoop.hbase.client.Admin;
import org.apache.hadoop.hbase.client.ColumnFamilyDescriptor;
import org.apache.hadoop.hbase.client.ColumnFamilyDescriptorBuilder;
import org.apache.hadoop.hbase.client.Connection;
import org.apache.hadoop.hbase.client.ConnectionFactory;
import org.apache.hadoop.hbase.client.TableDescriptorBuilder;
import org.apache.hadoop.hbase.io.encoding.DataBlockEncoding;
import org.apache.hadoop.hbase.regionserver.BloomType;
import org.apache.hadoop.hbase.util.Bytes;

/** Creates the tables of OpenTSDB as its create_table.sh describes them, uncompressed; leaves those that exist. */
public class CreateTables {
  public static void main(String[] arguments) throws Exception {
    Configuration configuration = HBaseConfiguration.create();
    // HBase may still be starting: 240 tries, 250 ms apart.
    configuration.setInt("hbase.client.retries.number", 240);
    configuration.setInt("hbase.client.pause", 250);
    try (Connection connection = ConnectionFactory.createConnection(configuration);
        Admin admin = connection.getAdmin()) {
      create(admin, "tsdb-uid", family("id", 0), family("name", 0));
      create(admin, "tsdb", family("t", 1));
      create(admin, "tsdb-tree", family("t", 1));
      create(admin, "tsdb-meta", family("name", 0));
    }
  }

  private static void create(Admin admin, String name, ColumnFamilyDescriptor... families)
      throws Exception {
    TableName table = TableName.valueOf(name);
    if (admin.tableExists(table)) return;
    admin.createTable(
        TableDescriptorBuilder.newBuilder(table).setColumnFamilies(Arrays.asList(families)).build());
    System.out.println("created " + name);
  }

  /** @param versions kept versions of a cell; 0 for HBase's default */
  private static ColumnFamilyDescriptor family(String name, int versions) {
    ColumnFamilyDescriptorBuilder builder =
        ColumnFamilyDescriptorBuilder.newBuilder(Bytes.toBytes(name))
            .setBloomFilterType(BloomType.ROW)
            .setDataBlockEncoding(DataBlockEncoding.DIFF);
    if (versions > 0) builder.setMaxVersions(versions);
    return builder.build();
  }
}
