/** What `warden --help` and `warden VERB --help` print. */

export const usage = `warden: counts business events per window, once per user, and tells the truth about a zero.

  warden run -c FILE [--drop-metric NAME]…   run the job of a config until it ends or is stopped
  warden check -c FILE                       say everything that is wrong with a config
  warden explain -c FILE                     what a config means: sources, windows, keys, state, points
  warden test FILE… [--json]                 run spec files: pipelines tested on a virtual clock
  warden demo [--fresh]                      the main job on made-up events and the embedded store
  warden generate --to kafka|file …          made-up lending events, for trials under load
  warden dlq list|show|redrive -c FILE       what could not be counted or written, and writing it once more
  warden alert test -c FILE                  send a real message to the receivers of a config
  warden alert route explain -c FILE L=V…    who would be told of an alert with these labels, and why
  warden lint -c FILE                        rules that never fire, always fire, overlap, or lack a floor
  warden backtest -c FILE | --csv FILE       what rules would have said about the past
  warden savepoint create|list|restore …     checksummed copies of a job's state, taken while it runs
  warden reset --to … -c FILE [--yes]         read a source again, or go on from another place
  warden store backup|export|import -c FILE  copies, text out of and into the embedded store
  warden profile -c FILE [--seconds 30]      where the running job's threads spend their time
  warden dashboards --out DIR [-c FILE]      Grafana's data sources and dashboards, for your metrics

  warden VERB --help                         more about one of them
  warden --help, warden --version

Exit codes: 0 fine, 1 failed, 2 bad usage or config.
`

export const verbs = [
  'run',
  'check',
  'explain',
  'test',
  'demo',
  'generate',
  'dlq',
  'alert',
  'lint',
  'backtest',
  'savepoint',
  'reset',
  'store',
  'dashboards',
  'profile',
] as const
export type Verb = (typeof verbs)[number]

export const isVerb = (text: string): text is Verb => (verbs as readonly string[]).includes(text)

const config =
  '  -c, --config FILE     the config, YAML or JSON; docs/configuration.md has every key\n'

export const verbUsage: Readonly<Record<Verb, string>> = {
  run: `warden run -c FILE [--drop-metric NAME]…

Runs the job of a config: until its sources have ended (files without follow), until it is stopped, or
until it failed for good. It goes on where its last checkpoint in stateDir stands.

${config}  --drop-metric NAME    gives up the state of a metric whose new config does not fit it; its first
                        windows are partial then. May be given several times

The first Ctrl-C or SIGTERM stops after a last checkpoint, a second one at once; nothing is lost either way.
The log goes to standard error; with SENTRY_DSN in the environment its errors go to Sentry too.
Exit: 0 ended or stopped, 1 failed, 2 the config is wrong or the address taken.
`,
  check: `warden check -c FILE

Reads a config and names everything that is wrong with it, as file:line:column: what is wrong; what would be
right. Touches neither the sources nor the state.

${config}
Exit: 0 nothing is wrong, 2 something is.
`,
  explain: `warden explain -c FILE

Says what a config means: sources and where they start, watermarks, windows, what a user is counted by, how
much state that takes, which points are written where. Secrets are not shown.

${config}
Exit: 0 fine, 2 the config is wrong.
`,
  test: `warden test FILE… [--json]

Runs spec files: events in, expected windows out, through the production code on a virtual clock, without any
service. docs/specs.md describes the format. Prints a line for each case that fails, then N passed, N failed.

  --json                the result as JSON: {passed, failed, cases: [{file, name, passed, reason}]}

Exit: 0 none failed, 1 some did.
`,
  demo: `warden demo [--fresh] [--windows N] [--port N]

The whole pipeline on made-up lending events and the embedded store, shown hour by hour as windows close.
Its state is in .warden/demo of the current directory; started again it goes on where it stopped.

  --fresh               begin anew
  --windows N           end after N hours of events; without it: at Ctrl-C
  --port N              where to look at the data over HTTP, default 4280; 0: any free port
`,
  generate: `warden generate --to kafka --brokers HOST:PORT,… --topic NAME [options]
warden generate --to file --path FILE [options]

Lending events (apply → fail → retry → success, pay-outs, repayments), out of order by up to 20 s, some late,
some garbage. Kafka: keyed by user, into a topic that exists. File: appended as JSON lines.

  --rate N              events per second; 0 (default): as fast as they are taken
  --limit N             events in all; default: until stopped
  --users N             population, default 20000
  --density N           events per second of event time, default 1000
  --start TIME          event time of the first, ISO 8601; default an hour ago
  --seed N              the same seed and start give the same events; default 1
`,
  dlq: `warden dlq list -c FILE [--file FILE] [--reason TEXT] [--sink NAME] [--limit N]
warden dlq show -c FILE [--file FILE] N…
warden dlq redrive -c FILE [--file FILE] [N…] [--sink NAME] [--overwrite]

The dead letters of a job, from the file that deadLetters names: records that could not be read or counted, and points
that a sink refused. Each has the number of its line.

  list                  the latest 50, or --limit N, a line each; how many there are of each reason
  show N…               all of it, as JSON, and what escaped names stand for
  redrive [N…]          writes refused points to their sinks once more, all or those named, while Warden is stopped.
                        Not those of which a newer value waits, and not where OpenTSDB has another value
  --file FILE           letters in this file instead, a line each: a copy of the topic they go to
  --reason TEXT         only those with this reason
  --sink NAME           only those that this sink refused
  --overwrite           also where OpenTSDB has another value

What was redriven is noted beside the file, in FILE.redriven.

Exit: 0 fine, 1 some points are left, 2 wrong usage or config.
`,
  lint: `warden lint -c FILE [--json]

Finds rules that cannot do what they are for: never-fires, always-fires, unknown-metric, overlap, no-volume-floor,
never-told; routes that nothing reaches, silences that have ended. warden check says what is wrong with the file.

${config}  --json                the result as JSON: {findings: [{code, subject, what, right}]}

Exit: 0 nothing was found, 1 something was, 2 the config is wrong.
`,
  backtest: `warden backtest -c FILE [--savepoint ID|latest] [--from TIME] [--to TIME] [--rule FILE] [--json]
warden backtest --csv FILE --rule FILE [--json]

Replays windows through the rules, with the times at which they came: what would have fired, when, for how long.
With -c those that the state of a job remembers (alerts.history.keep), while Warden is stopped; of a running job take
\`warden savepoint create\`, and --savepoint. With --rule besides, both rule files are compared.
With --csv lines of timestamp,value, each a window.

${config}  --rule FILE           rules, as in an alert file
  --savepoint ID        windows that a savepoint remembers; \`latest\`: the newest that is whole
  --from, --to TIME     only windows that begin in this span; ISO 8601
  --json                {intervals: [{rule, tags, severity, start, end, firedAt, endedAt, …}], messages, windows}

Rules about the pipeline are not replayed: nobody stored what they judge.
Exit: 0 done, 1 failed, 2 wrong usage or rules.
`,
  alert: `warden alert test -c FILE [--receiver NAME]
warden alert route explain -c FILE LABEL=VALUE…

Sends a real message, marked as a test, to every receiver of a config, past the state and a job that runs: it needs
neither. Prints what each receiver made of it.

${config}  --receiver NAME       this one only

Exit: 0 all of them took it, 1 one did not, 2 the config is wrong.
`,
  savepoint: `warden savepoint create -c FILE [--url URL] [--json]
warden savepoint list|inspect ID|delete ID -c FILE [--from DIR] [--json]
warden savepoint restore ID|latest -c FILE [--from DIR] [--job NEW]

Checksummed copies of a job's state: counts, users, positions, points that wait. create asks the running job
over its HTTP server, or copies the state of a stopped one; counting goes on. The newest state.savepoints.retain
stay. inspect reads every byte. restore needs a stopped job, checks the copy first, and sets the state that was
there aside; events after the copy are read and counted again. latest is the newest copy that is whole, replicas
included.

${config}  --from DIR            copies in another directory, say of another machine
  --job NEW             the config is of another job than the copy: a fork, with sinks of its own to catch up
  --url URL             where the running job listens; default: server.listen of the config
  --json                manifests as JSON

Exit: 0 done, 1 failed or damaged, 2 bad usage or config.
`,
  profile: `warden profile -c FILE [--seconds 30] [--out DIR] [--url URL]

Asks the running job over its HTTP server for CPU profiles of its main thread and of every lane that is a thread,
taken at the same time; writes a .cpuprofile for each, which Chrome's developer tools, VS Code and speedscope open,
and prints the functions that took the most time. Counting goes on, a little slower.

${config}  --seconds N           how long, at most 300; default 30
  --out DIR             where the files go; default: the directory at hand
  --url URL             where the running job listens; default: server.listen of the config

Exit: 0 done, 1 failed, 2 bad usage or config.
`,
  reset: `warden reset --to earliest|latest|TIME|OFFSETS -c FILE [--source NAME] [--yes]

Sets a source of a stopped job to other positions, and shows before what that means: which records are read
again or skipped, which windows are counted again. Its metrics start anew there; windows that began before are
partial and not written, so that no good point is overwritten by half a one. Take a savepoint first.

${config}  --to                  earliest, latest, a time like 2026-11-20T00:00:00Z (Kafka's record time), or offsets
                        of partitions, orders-0=120,orders-1=99 (Kafka; the others stay)
  --source NAME         where the config has several
  --yes                 do it; without it only the preview is shown

Exit: 0 done or shown, 1 failed, 2 bad usage or config.
`,
  store: `warden store backup -c FILE --out FILE
warden store export -c FILE --out FILE [--metric PREFIX] [--from TIME] [--to TIME]
warden store import -c FILE FILE…

The points of the embedded store.

  backup                copies it to a new file, also while Warden runs. Stop Warden and put that file in the place of
                        stateDir/store/points.mdb, and the store is what it was
  export                lines of OpenTSDB's import format (metric timestamp value tag=value …), also while Warden runs;
                        compressed when FILE ends in .gz. OpenTSDB takes them with tsdb import, which
                        keeps seven digits of a fraction
  import                reads such lines, of OpenTSDB's scan --import too; only while Warden is stopped. A running one
                        takes the same lines: curl -H 'Content-Type: text/plain' --data-binary @FILE …/api/put?details
  --metric PREFIX       only metrics whose name begins so
  --from, --to TIME     only points from TIME on, and before TIME; ISO 8601

Exit: 0 fine, 1 failed or lines were refused, 2 wrong usage or config.
`,
  dashboards: `warden dashboards --out DIR [-c FILE]

Writes what Grafana needs to DIR: provisioning/ (data sources, where the dashboards are) and dashboards/: trust.json
(is the number true? from Warden's own metrics) and, with a config, business.json (its metrics).

${config}  --out DIR             usually mounted as /etc/grafana; files there are replaced

Grafana needs WARDEN_TSDB_URL (the embedded store or an OpenTSDB), WARDEN_PROMETHEUS_URL and, for a store that asks for
it, WARDEN_TOKEN in its environment.
`,
}
