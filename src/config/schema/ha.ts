import {
  broker,
  certificate,
  duration,
  either,
  filePath,
  flag,
  list,
  optional,
  secret,
  section,
  tag,
  url,
  words,
} from './fields.ts'

const zookeeper = section(
  {
    type: tag('zookeeper', 'An ephemeral node of ZooKeeper.'),
    servers: list(broker('`host:port` of a server.'), 'Servers of the ensemble, tried in turn.', {
      minItems: 1,
      examples: [['zk1:2181', 'zk2:2181', 'zk3:2181']],
    }),
    path: optional(
      words(
        'Path of the node, absolute; nodes above it are made. Left out: `/warden/<job>/leader`.',
      ),
    ),
    sessionTimeout: duration(
      'How long a leader that is gone keeps the lease, 1s to 1m; the servers agree to 2 to 20 of their ticks (4 s to 40 s by default).',
      { default: '10s' },
    ),
    credentials: optional(
      secret('`user:password` of the digest scheme; then nobody else can touch the node.'),
    ),
    tls: flag('Encrypted connections to the servers.', { default: false }),
    ca: optional(
      certificate('Certificate authorities in PEM that are trusted instead of the system’s.'),
    ),
  },
  'ZooKeeper.',
)

const kubernetes = section(
  {
    type: tag(
      'kubernetes',
      'A Lease object. The pod’s service account needs get, create and update on leases of coordination.k8s.io.',
    ),
    name: optional(
      words('Name of the object; it is made where it is missing. Left out: `warden-<job>`.'),
    ),
    namespace: optional(words('Namespace of the object. Left out: that of the pod.')),
    duration: duration('How long a leader that is gone keeps the lease, 1s to 1m.', {
      default: '15s',
    }),
    url: optional(url('API server. Left out: as the pod is told it.')),
    account: optional(
      filePath(
        'Directory with `token`, `ca.crt` and `namespace`, read anew as they change. Left out: the pod’s service account.',
      ),
    ),
  },
  'Kubernetes.',
)

export const ha = section(
  {
    lease: either([zookeeper, kubernetes], 'What the leader holds; `type` says what it is.'),
  },
  'Several Wardens for one job, on several machines, of which exactly one works: the leader holds a lease, the others stand by. Needs `state.replica` on a disk that all of them reach; Kafka sources only. Left out: one Warden.',
)
