// The S3 server that everybody is measured against: s3proxy over plain files, spoken to directly. It counts the requests
// itself, per bucket and method, so that nothing stands between client and server.
import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { startJavaServer } from '../../local/servers/java-server.ts';
import { fetchJar } from '../../local/servers/maven.ts';
import { makeCertificate } from './certificate.ts';

/** As local/servers/s3proxy.ts has it. */
const COORDINATE = 'org.gaul:s3proxy:4.1.0:jar-with-dependencies';
export const S3_SERVER = 's3proxy 4.1.0';
/** As fast as it gets, and with room for what it buffers of clients that send a thousand parts at once. */
const JVM_FLAGS = ['-Xmx4g', '-XX:+UseParallelGC'];

export interface VaultServer {
  /** As the subjects know it. */
  url: string;
  /** Of its TLS, where it speaks that: a PEM file to be trusted. */
  certificate?: string;
  region: string;
  credentials: { accessKeyId: string; secretAccessKey: string };
  client: S3Client;
  createBucket(bucket: string): Promise<void>;
  /** With everything in it. */
  removeBucket(bucket: string): Promise<void>;
  /** The directory that holds a bucket's objects as files. */
  bucketDirectory(bucket: string): string;
  /** S3 operation → how many requests for this bucket were answered so far. */
  requests(bucket: string): Promise<Map<string, number>>;
  stop(): Promise<void>;
}

/** @param tls whether the subjects are given its TLS endpoint */
export async function startVaultServer(directory: string, tls: boolean): Promise<VaultServer> {
  const jar = await fetchJar(COORDINATE);
  const data = join(directory, 'data');
  await rm(directory, { recursive: true, force: true });
  await mkdir(data, { recursive: true });
  const credentials = {
    accessKeyId: randomBytes(10).toString('hex'),
    secretAccessKey: randomBytes(20).toString('hex'),
  };
  const certificate = tls ? await makeCertificate(directory) : undefined;
  let metricsPort = 0;
  let securePort = 0;
  const secure = (port: number) =>
    certificate
      ? [
          `s3proxy.secure-endpoint=https://127.0.0.1:${port}`,
          `s3proxy.keystore-path=${certificate.keyStore}`,
          `s3proxy.keystore-password=${certificate.password}`,
        ]
      : [];
  const server = await startJavaServer({
    name: 's3proxy',
    classPath: jar,
    mainClass: 'org.gaul.s3proxy.Main',
    workingDirectory: directory,
    logFile: join(directory, 's3proxy.log'),
    jvmFlags: JVM_FLAGS,
    async arguments(port) {
      metricsPort = await freePort();
      securePort = await freePort();
      const path = join(directory, 's3proxy.conf');
      await writeFile(
        path,
        [...propertiesOf({ port, metricsPort, data, ...credentials }), ...secure(securePort)].join('\n'),
        { mode: 0o600 },
      );
      return ['--properties', path];
    },
  });
  const region = 'us-east-1';
  const client = new S3Client({ endpoint: server.url, region, credentials, forcePathStyle: true });
  const bucketDirectory = (bucket: string) => join(data, bucket);
  return {
    ...(certificate
      ? { url: `https://127.0.0.1:${securePort}`, certificate: certificate.certificate }
      : { url: server.url }),
    region,
    credentials,
    client,
    bucketDirectory,
    async createBucket(bucket) {
      await client.send(new CreateBucketCommand({ Bucket: bucket }));
    },
    removeBucket: (bucket) => rm(bucketDirectory(bucket), { recursive: true, force: true }),
    requests: (bucket) => countRequests(`http://127.0.0.1:${metricsPort}/metrics`, bucket),
    async stop() {
      client.destroy();
      await server.stop();
    },
  };
}

function propertiesOf(values: {
  port: number;
  metricsPort: number;
  data: string;
  accessKeyId: string;
  secretAccessKey: string;
}): string[] {
  return [
    `s3proxy.endpoint=http://127.0.0.1:${values.port}`,
    's3proxy.authorization=aws-v2-or-v4',
    `s3proxy.identity=${values.accessKeyId}`,
    `s3proxy.credential=${values.secretAccessKey}`,
    's3proxy.ignore-unknown-headers=true',
    's3proxy.v4-max-non-chunked-request-size=134217728',
    's3proxy.metrics.enabled=true',
    's3proxy.metrics.host=127.0.0.1',
    `s3proxy.metrics.port=${values.metricsPort}`,
    'jclouds.provider=filesystem-nio2',
    `jclouds.filesystem.basedir=${values.data}`,
  ];
}

/** From Prometheus' text: `http_server_request_duration_seconds_count{…s3_bucket="b",s3_operation="PutObject"…} 12`. */
async function countRequests(url: string, bucket: string): Promise<Map<string, number>> {
  const text = await (await fetch(url)).text();
  const counts = new Map<string, number>();
  for (const line of text.split('\n')) {
    if (!line.startsWith('http_server_request_duration_seconds_count{')) continue;
    if (!line.includes(`s3_bucket="${bucket}"`)) continue;
    const [, operation = 'unknown'] = /s3_operation="([^"]*)"/.exec(line) ?? [];
    const count = Number(line.slice(line.lastIndexOf(' ') + 1));
    counts.set(operation, (counts.get(operation) ?? 0) + count);
  }
  return counts;
}

async function freePort(): Promise<number> {
  const server = createServer();
  const listening = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', listening.resolve);
  await listening.promise;
  const address = server.address();
  const closed = Promise.withResolvers<void>();
  server.close(() => closed.resolve());
  await closed.promise;
  if (address === null || typeof address === 'string') throw new Error('no free port on 127.0.0.1');
  return address.port;
}
