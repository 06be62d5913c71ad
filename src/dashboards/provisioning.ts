/**
 * The data sources of the dashboards, as Grafana provisions them; it puts environment variables in. One file serves the embedded store
 * and a real OpenTSDB: `WARDEN_TSDB_URL` says which. `WARDEN_TOKEN`: what `server.token` asks for; OpenTSDB does not look at it.
 */
export const dataSources = `# Written by \`warden dashboards\`.
apiVersion: 1
datasources:
  # The points: Warden's embedded store (http://warden:4280) or an OpenTSDB (http://opentsdb:4242).
  - name: Points
    uid: warden-points
    type: opentsdb
    access: proxy
    url: $WARDEN_TSDB_URL
    isDefault: true
    jsonData:
      tsdbVersion: 4
      tsdbResolution: 1
      lookupLimit: 1000
      httpHeaderName1: Authorization
    secureJsonData:
      httpHeaderValue1: Bearer $WARDEN_TOKEN
  # Warden's own metrics: a second source, so that it still speaks when the store is away.
  - name: Warden metrics
    uid: warden-metrics
    type: prometheus
    access: proxy
    url: $WARDEN_PROMETHEUS_URL
    jsonData:
      timeInterval: 15s
`

/** Where Grafana finds the dashboards: beside this folder, mounted at /etc/grafana/dashboards. */
export const dashboardProvider = `# Written by \`warden dashboards\`.
apiVersion: 1
providers:
  - name: warden
    folder: Warden
    type: file
    disableDeletion: false
    allowUiUpdates: true
    updateIntervalSeconds: 30
    options:
      path: /etc/grafana/dashboards
`
