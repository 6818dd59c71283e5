// The DynamoDB engine behind the local endpoint: AWS's own DynamoDB Local, its tables in a file.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { startJavaServer } from './java-server.ts';
import { fetchJars } from './maven.ts';

/** 3.3.1 does not resolve; 3.1.0 is the one that was tried. */
const COORDINATE = 'software.amazon.dynamodb:DynamoDBLocal:3.1.0';

export interface DynamoDbLocal {
  url: string;
  pid: number;
  stop(): Promise<void>;
}

/** @throws LocalToolFailed LocalServerFailed */
export async function startDynamoDbLocal(stateDirectory: string): Promise<DynamoDbLocal> {
  const jars = await fetchJars({ coordinates: [COORDINATE] });
  const dbPath = join(stateDirectory, 'tables');
  await mkdir(dbPath, { recursive: true });
  const server = await startJavaServer({
    name: 'DynamoDB Local',
    classPath: join(jars, '*'),
    mainClass: 'software.amazon.dynamodb.services.local.main.ServerRunner',
    workingDirectory: stateDirectory,
    logFile: join(stateDirectory, 'dynamodb-local.log'),
    arguments: (port) => ['-port', String(port), '-disableTelemetry', '-dbPath', dbPath, '-sharedDb'],
  });
  return { url: server.url, pid: server.pid, stop: server.stop };
}
