import fc from 'fast-check'

const space = fc.constantFrom('', '', '', '', ' ', '\n', '\t ', '\r\n', '  ')

const characters = fc.constantFrom(
  ...[
    'a',
    'Z',
    '0',
    ' ',
    '/',
    "'",
    '{',
    '}',
    '[',
    ',',
    ':',
    '\u007f',
    'é',
    '杭',
    '😀',
    '\u2028',
    '\ufeff',
  ],
  ...[
    '\\"',
    '\\\\',
    '\\/',
    '\\b',
    '\\f',
    '\\n',
    '\\r',
    '\\t',
    '\\u0041',
    '\\u00e9',
    '\\u676D',
    '\\u0000',
    '\\u05d0',
    '\\u0800',
    '\\uffff',
  ],
  ...['\\ud83d\\ude00', '\\ud800', '\\udc00\\ud800', '\\uD83Dx'],
)

const strings = fc.oneof(
  { weight: 3, arbitrary: fc.array(characters, { maxLength: 6 }).map((of) => `"${of.join('')}"`) },
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      ...[
        '""',
        '"success"',
        '"SUCC"',
        '"fail"',
        '"retail"',
        '"pay"',
        '"\\u0070ay"',
        '"true"',
        '"null"',
      ],
      ...[
        '"1"',
        '"1.0"',
        '"-2.5e3"',
        '"007"',
        '"1e400"',
        '" 1"',
        '"0x10"',
        '"1699999999"',
        '"1699999999123"',
      ],
      ...[
        '"2023-11-14T22:13:19Z"',
        '"2023-11-15T06:13:19.123456789+08:00"',
        '"2023-11-14T22:13:19"',
      ],
      ...[
        '"2023-02-29T00:00:00Z"',
        '"2023-11-14 22:13Z"',
        '"2023-11-14T22:13:60,5-0130"',
        '"1969-12-31T23:59:59Z"',
      ],
    ),
  },
)

const numbers = fc.oneof(
  fc.constantFrom(
    ...[
      '0',
      '-0',
      '1',
      '1.0',
      '-1.50',
      '1e3',
      '1E+2',
      '-1.5e-7',
      '0.1',
      '123456789012345',
      '0.000001234567',
    ],
    ...[
      '9007199254740993',
      '0.1234567890123456',
      '1234567.890123456',
      '1234567890123456.7',
      '12345678901234567890',
      '1234567890.12345678',
      '1e400',
      '-1e400',
      '1e-400',
      '5e-324',
    ],
    ...[
      '1699999999',
      '1699999999.123',
      '1699999999123',
      '1699999999123.9',
      '99999999999',
      '100000000000',
    ],
    ...['1700000059999', '1700000060001', '999999999999', '-1'],
  ),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
  fc.integer().map(String),
)

/** Numbers, names and strings that are nearly JSON. */
const broken = fc.constantFrom(
  ...[
    '01',
    '.5',
    '1.',
    '+1',
    '1e',
    '1e+',
    '-',
    '--1',
    'NaN',
    'Infinity',
    'tru',
    'nulll',
    'True',
    'undefined',
  ],
  ...[
    "'a'",
    '"a',
    '"\\x"',
    '"\\u12G4"',
    '"\\u123"',
    '"a\nb"',
    '"a\u0000b"',
    '"\t"',
    '{',
    '[1,]',
    '[,1]',
    '{,}',
    '{"a"}',
    '',
  ],
)

const keyNames = ['eventTime', 'userId', 'status', 'bizLine', 'product', 'event', 'amount', 'ctx']

const keys = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...keyNames, 'os', 'time', 'ver', '杭', 'a"b') },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      ...[
        'event\\u0054ime',
        'user\\u0049d',
        'st\\u0061tus',
        '\\u0063tx',
        'o\\u0073',
        '',
        '__proto__',
        'constructor',
      ],
      ...['\\u676d', 'a\\"b', 'x\\ud800', 'Status', 'statu', 'statuss', 'length', '0'],
    ),
  },
)

const { value, object } = fc.letrec<{ value: string; object: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthIdentifier: 'json' },
    { weight: 5, arbitrary: strings },
    { weight: 4, arbitrary: numbers },
    { weight: 2, arbitrary: fc.constantFrom('true', 'false', 'null') },
    { weight: 2, arbitrary: tie('object') },
    {
      weight: 1,
      arbitrary: fc
        .array(fc.tuple(space, tie('value'), space), { maxLength: 3, depthIdentifier: 'json' })
        .map((of) => `[${of.map((one) => one.join('')).join(',')}]`),
    },
  ),
  object: fc
    .tuple(space, fc.array(members(tie('value')), { maxLength: 4, depthIdentifier: 'json' }))
    .map(([before, of]) => `{${before}${of.join(',')}}`),
}))

function members(values: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc
    .tuple(space, keys, space, space, values, space)
    .map(
      ([a, key, b, c, text, d]) =>
        `${a}"${key.includes('a"b') ? 'a\\"b' : key}"${b}:${c}${text}${d}`,
    )
}

/** Members of a document that every decoder takes. */
const goodMembers: readonly (readonly [string, string])[] = [
  ['eventTime', '1699999999123'],
  ['userId', '"u12345"'],
  ['status', '"success"'],
  ['bizLine', '"retail"'],
  ['product', '"app"'],
  ['event', '"pay"'],
  ['amount', '12.50'],
  ['seconds', '1699999999.25'],
  ['ctx', '{"os":"android","time":"2023-11-14T22:13:19Z","ver":{"major":3}}'],
]

/** JSON texts by grammar, with the configured keys missing, repeated, nested and of every type; some are broken. */
export const documentTexts: fc.Arbitrary<string> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .tuple(
        fc.shuffledSubarray([...goodMembers], { minLength: goodMembers.length - 2 }),
        fc.array(fc.tuple(fc.nat(goodMembers.length), value), { maxLength: 2 }),
        fc.array(members(value), { maxLength: 3 }),
        fc.nat(),
        fc.tuple(space, space),
      )
      .map(([good, swaps, more, at, [before, after]]) => {
        const swapped = new Map(swaps)
        const of = good.map(([key, text], index) => `"${key}":${swapped.get(index) ?? text}`)
        for (const [index, one] of more.entries()) {
          of.splice((at + index * 7) % (of.length + 1), 0, one)
        }
        return `${before}{${of.join(',')}}${after}`
      }),
  },
  { weight: 2, arbitrary: object },
  { weight: 1, arbitrary: value },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.nat(8), broken)
      .map(
        ([at, text]) =>
          `{${goodMembers.map(([key, good], index) => `"${key}":${index === at ? text : good}`).join(',')}}`,
      ),
  },
)

interface Mutation {
  readonly kind: 'set' | 'insert' | 'remove' | 'cut' | 'repeat'
  readonly at: number
  readonly byte: number
}

const mutations: fc.Arbitrary<Mutation> = fc.record({
  kind: fc.constantFrom('set', 'set', 'insert', 'remove', 'cut', 'repeat'),
  at: fc.nat(10_000),
  byte: fc.oneof(
    fc.constantFrom(...Buffer.from('{}[]",:\\ \n\t0-+eE.tfnu/')),
    fc.constantFrom(0, 31, 0x80, 0xc0, 0xc3, 0xe0, 0xed, 0xa0, 0xef, 0xf0, 0xf4, 0xff),
    fc.nat(255),
  ),
})

function mutate(bytes: Buffer, { kind, at, byte }: Mutation): Buffer {
  const i = at % (bytes.length + 1)
  const [left, right] = [bytes.subarray(0, i), bytes.subarray(i)]
  switch (kind) {
    case 'set':
      return Buffer.concat([left, Buffer.from([byte]), right.subarray(1)])
    case 'insert':
      return Buffer.concat([left, Buffer.from([byte]), right])
    case 'remove':
      return Buffer.concat([left, right.subarray(1 + (byte % 4))])
    case 'cut':
      return left
    case 'repeat':
      return Buffer.concat([left, right.subarray(0, byte), right])
  }
}

/** Documents by grammar, and what damage makes of them. */
export const documents: fc.Arbitrary<Buffer> = fc
  .tuple(
    documentTexts,
    fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, fc.array(mutations, { maxLength: 3 })),
  )
  .map(([text, damage]) => damage.reduce(mutate, Buffer.from(text)))

/** Documents that broke parsers before; the longest are bounded so that a test stays quick. */
export const hostileDocuments: readonly Buffer[] = [
  ...[
    '',
    ' ',
    '{}',
    '[]',
    'null',
    '1',
    '"a"',
    '{',
    '}',
    '{}}',
    '{}{}',
    '{} x',
    '[{}]',
    '{"a":1}\u0000',
  ].map((text) => Buffer.from(text)),
  Buffer.from(`\ufeff{"eventTime":1699999999}`),
  Buffer.from(`{"eventTime":1699999999}\ufeff`),
  Buffer.from(`${'['.repeat(100_000)}`),
  Buffer.from(`{"bizLine":${'['.repeat(5000)}${']'.repeat(5000)},"eventTime":1699999999}`),
  Buffer.from(`{"eventTime":1699999999,"x":${'{"a":'.repeat(63)}1${'}'.repeat(63)}}`),
  Buffer.from(`{"eventTime":1699999999,"x":${'{"a":'.repeat(64)}1${'}'.repeat(64)}}`),
  Buffer.from(`{"eventTime":1699999999,"x":"${'\\\\'.repeat(200_000)}","userId":9007199254740993}`),
  Buffer.from(`{"__proto__":{"eventTime":1699999999},"ctx":{"__proto__":{"os":"x"}}}`),
  Buffer.from(`{"ctx":{"os":"android"},"ctx":{"ver":{"major":1}},"eventTime":1699999999}`),
  Buffer.from(`{"ctx":{"os":"android"},"ctx":null,"eventTime":1699999999}`),
  Buffer.from(`{"ctx":{"os":"android","os":{}},"eventTime":1699999999}`),
  Buffer.from(`{"eventTime":1,"eventTime":1699999999}`),
  Buffer.from(`{"eventTime":"1699999999","userId":-0}`),
  ...[
    [0xed, 0xa0, 0x80],
    [0xed, 0xbf, 0xbf],
    [0xc0, 0x80],
    [0xc1, 0xbf],
    [0xe0, 0x9f, 0xbf],
    [0xf0, 0x8f, 0xbf, 0xbf],
    [0xf4, 0x90, 0x80, 0x80],
    [0xf5, 0x80, 0x80, 0x80],
    [0xe6, 0x9d],
    [0x80],
    [0xff],
    [0x1f],
    [0xf4, 0x8f, 0xbf, 0xbf],
    [0xed, 0x9f, 0xbf],
    [0xc2, 0x80],
    [0xe0, 0xa0, 0x80],
    [0xf0, 0x90, 0x80, 0x80],
    [0x7f],
  ].flatMap((bytes) => [goodBut('userId', bytes), goodBut('other', bytes)]),
]

/** A good document in which the key, the last one, holds a string of these bytes. */
function goodBut(key: string, bytes: readonly number[]): Buffer {
  const good = goodMembers.map(([name, text]) => `"${name}":${text}`).join(',')
  return Buffer.concat([Buffer.from(`{${good},"${key}":"`), Buffer.from(bytes), Buffer.from('"}')])
}
