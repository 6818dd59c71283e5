// The S3 server behind the local endpoint: s3proxy over plain files. It knows one key pair, made anew at each start, so that
// nobody goes round the endpoint and its policies.
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startJavaServer } from './java-server.ts';
import { fetchJar } from './maven.ts';

const COORDINATE = 'org.gaul:s3proxy:4.1.0:jar-with-dependencies';

export interface S3Proxy {
  url: string;
  pid: number;
  credentials: { accessKeyId: string; secretAccessKey: string };
  stop(): Promise<void>;
}

/**
 * Data lie in `<stateDirectory>/data`: go through the API, never the directory, which has hidden files of unfinished uploads.
 * @throws LocalToolFailed LocalServerFailed
 */
export async function startS3Proxy(stateDirectory: string): Promise<S3Proxy> {
  const jar = await fetchJar(COORDINATE);
  const dataDirectory = join(stateDirectory, 'data');
  await mkdir(dataDirectory, { recursive: true });
  const credentials = {
    accessKeyId: randomBytes(10).toString('hex'),
    secretAccessKey: randomBytes(20).toString('hex'),
  };
  const properties = join(stateDirectory, 's3proxy.conf');
  const server = await startJavaServer({
    name: 's3proxy',
    classPath: jar,
    mainClass: 'org.gaul.s3proxy.Main',
    workingDirectory: stateDirectory,
    logFile: join(stateDirectory, 's3proxy.log'),
    async arguments(port) {
      await writeFile(properties, propertiesOf({ port, dataDirectory, ...credentials }), { mode: 0o600 });
      return ['--properties', properties];
    },
  });
  return { url: server.url, pid: server.pid, credentials, stop: server.stop };
}

function propertiesOf(values: {
  port: number;
  dataDirectory: string;
  accessKeyId: string;
  secretAccessKey: string;
}): string {
  return [
    `s3proxy.endpoint=http://127.0.0.1:${values.port}`,
    's3proxy.authorization=aws-v2-or-v4',
    `s3proxy.identity=${values.accessKeyId}`,
    `s3proxy.credential=${values.secretAccessKey}`,
    's3proxy.ignore-unknown-headers=true',
    's3proxy.v4-max-non-chunked-request-size=134217728',
    'jclouds.provider=filesystem-nio2',
    `jclouds.filesystem.basedir=${values.dataDirectory}`,
    '',
  ].join('\n');
}
