/**
 * The walls between the folders. Every rule is an error; scripts/import-rules.ts runs them and fails as well when
 * fewer modules were seen than there are source files.
 */
const stage = '^src/(ingest|enrich|dedup|aggregate|sink|alert|store|state|config|lease|dashboards)/'

/** A file that touches the outside world is named after it. */
const edge =
  '/(kafka|opentsdb|feishu|lmdb|redis|file|http|system|generator|embedded|pino|prometheus|alertmanager|smtp|sentry|zookeeper|kubernetes)-[a-z0-9-]+[.]ts$'

/** The interfaces through which the rest of the program sees the outside world. */
const port =
  '^src/(core|ingest|enrich|dedup|sink|alert|state)/(source|side-output|origin|dedup-store|sink|notifier|state-store)[.]ts$'

/** The files that put concrete parts together. */
const app = '^src/app([.]ts$|-[a-z-]+[.]ts$|/)'

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment:
        'Two files that import each other are one thing in two places: move what both need into a third.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'resolvable',
      comment: 'The imported file or package is not there.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'core-imports-only-core',
      comment: 'Core is the words everybody shares; it depends on nobody.',
      severity: 'error',
      from: { path: '^src/core/' },
      to: { pathNot: '^src/core/' },
    },
    {
      name: 'stages-meet-only-in-core',
      comment:
        'A stage knows core and itself, never its neighbour; pipeline/ joins stages. Move the shared type to core/.',
      severity: 'error',
      from: { path: stage },
      to: { path: '^src/', pathNot: ['^src/core/', '^src/$1/'] },
    },
    {
      name: 'pipeline-joins-stages-only',
      comment: 'The pipeline sees core, state, ports and the pure modules of the stages.',
      severity: 'error',
      from: { path: '^src/pipeline/' },
      to: {
        path: '^src/',
        pathNot: '^src/(core|pipeline|state|ingest|enrich|dedup|aggregate|sink|alert)/',
      },
    },
    {
      name: 'api-sees-ports-only',
      comment: 'The API shows what ports, the store and the progress of the pipeline tell it.',
      severity: 'error',
      from: { path: '^src/(api|web)/' },
      to: {
        path: '^src/',
        pathNot: ['^src/(core|api|web|store)/', port, '^src/pipeline/progress[.]ts$'],
      },
    },
    {
      name: 'spec-drives-pure-parts',
      comment: 'Spec files run the production pipeline on a virtual clock, without any edge.',
      severity: 'error',
      from: { path: '^src/spec/' },
      to: {
        path: '^src/',
        pathNot: '^src/(core|spec|config|pipeline|state|ingest|enrich|dedup|aggregate|sink|alert)/',
      },
    },
    {
      name: 'process-starts-the-app',
      comment: 'main and cli read arguments and call the app; they know no part of it.',
      severity: 'error',
      from: { path: '^src/(main|cli)([.]ts$|-[a-z-]+[.]ts$|/)' },
      to: {
        path: '^src/',
        pathNot: [app, '^src/(main|cli)([.]ts$|-[a-z-]+[.]ts$|/)', '^src/(core|config|spec)/'],
      },
    },
    {
      name: 'only-app-knows-app',
      comment: 'Nothing below imports what puts it together.',
      severity: 'error',
      from: { path: '^src/.+/', pathNot: [app, '^src/(main|cli)/'] },
      to: { path: [app, '^src/(main|cli)([.]ts$|-[a-z-]+[.]ts$|/)'] },
    },
    {
      name: 'only-app-builds-edges',
      comment:
        'Concrete edges are named in the app alone (and by the other files of the same edge). main and cli read the config by its edge.',
      severity: 'error',
      from: { path: '^src/', pathNot: [app, edge, '^src/(main|cli)[.]ts$'] },
      to: { path: edge },
    },
    {
      name: 'only-edges-touch-the-world',
      comment:
        'Node and libraries do I/O in files named after the outside system; the others take what they need as arguments.',
      severity: 'error',
      from: {
        path: '^src/(core|ingest|enrich|dedup|aggregate|sink|alert|store|state|pipeline|dashboards)/',
        pathNot: edge,
      },
      to: {
        dependencyTypes: [
          'core',
          'npm',
          'npm-dev',
          'npm-optional',
          'npm-peer',
          'npm-no-pkg',
          'npm-unknown',
        ],
      },
    },
    {
      name: 'only-edges-touch-node',
      comment: 'Here libraries that compute (typebox, yaml) are welcome, Node modules are not.',
      severity: 'error',
      from: { path: '^src/(config|spec|api|web)/', pathNot: edge },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'no-dev-dependency-ships',
      comment: 'The image is installed without devDependencies.',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
  ],
  options: {
    // A function of ours that is called require is no import.
    moduleSystems: ['es6'],
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
}
