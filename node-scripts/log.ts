// The host program's log: JSON lines in a file an action, constant messages with fields, no secrets.
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { destination, type Logger, pino } from 'pino';

export function openLog(path: string, fields: Record<string, string>): Logger {
  mkdirSync(dirname(path), { recursive: true });
  const file = destination({ dest: path, sync: true, mode: 0o600 });
  const options = {
    base: fields,
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: pino.stdSerializers,
  };
  return pino({ ...options, redact: ['*.password', 'password', 'taskToken', '*.taskToken'] }, file);
}
