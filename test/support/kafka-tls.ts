import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface ServerCertificate {
  /** The authority that signed it: what a client must trust. */
  readonly caPem: string
  /** File with the private key and the certificate, as Kafka's PEM key store wants it. */
  readonly keystoreFile: string
}

/** A fresh authority and a certificate of 127.0.0.1 and localhost, valid for two days, in `directory`. */
export async function createServerCertificate(directory: string): Promise<ServerCertificate> {
  const openssl = (...args: string[]) => run('openssl', args, { cwd: directory })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-sha256']
  await writeFile(
    join(directory, 'tls.cnf'),
    [
      '[req]',
      'distinguished_name=name',
      'prompt=no',
      '[name]',
      'CN=warden test',
      '[ca]',
      'basicConstraints=critical,CA:true',
      'keyUsage=critical,keyCertSign',
      'subjectKeyIdentifier=hash',
      '[server]',
      'basicConstraints=CA:false',
      'extendedKeyUsage=serverAuth',
      'subjectAltName=IP:127.0.0.1,DNS:localhost',
      '',
    ].join('\n'),
  )
  const config = ['-config', 'tls.cnf']
  const ca = ['-x509', '-days', '2', '-extensions', 'ca', '-subj', '/CN=warden test authority']
  await openssl('req', ...config, ...ca, ...key, '-keyout', 'ca.key', '-out', 'ca.pem')
  await openssl('req', ...config, ...key, '-keyout', 'server.key', '-out', 'server.csr')
  const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2']
  const extensions = ['-extfile', 'tls.cnf', '-extensions', 'server', '-sha256']
  await openssl('x509', '-req', '-in', 'server.csr', ...signed, ...extensions, '-out', 'server.pem')

  const keystoreFile = join(directory, 'keystore.pem')
  const parts = ['server.key', 'server.pem'].map((name) => readFile(join(directory, name), 'utf8'))
  await writeFile(keystoreFile, (await Promise.all(parts)).join(''), { mode: 0o600 })
  return { caPem: await readFile(join(directory, 'ca.pem'), 'utf8'), keystoreFile }
}
