// A DNS server on loopback that answers SRV and A as a test says.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type Answer, decode, encode } from 'dns-packet';
import type { Application } from '../../../contracts/pause.ts';

export interface NameServer {
  /** `127.0.0.1:40001` */
  address: string;
  /** Whom the record names; others may be named at any time. Undefined: it answers nothing. */
  named: readonly Required<Application>[] | undefined;
  close(): Promise<void>;
}

export async function startNameServer(
  srv: string,
  at: { address: string; port: number } = { address: '127.0.0.1', port: 0 },
): Promise<NameServer> {
  const socket = createSocket('udp4');
  const server: NameServer = {
    address: '',
    named: [],
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
  socket.on('message', (message, { address, port }) => {
    const { id, questions = [] } = decode(message);
    const [question] = questions;
    if (!question || !server.named) return;
    const answers = answersTo(question, srv, server.named);
    // 3: there is no such name.
    const flags = answers.length > 0 ? 0 : 3;
    socket.send(encode({ id: id ?? 0, type: 'response', flags, questions, answers }), port, address);
  });
  socket.bind(at.port, at.address);
  await once(socket, 'listening');
  server.address = `${at.address}:${socket.address().port}`;
  return server;
}

function answersTo(
  { type, name }: { type: string; name: string },
  srv: string,
  named: readonly Required<Application>[],
): Answer[] {
  const hostOf = (each: Application) => each.name.slice(0, each.name.lastIndexOf(':'));
  if (type === 'SRV' && name === srv) {
    return named.map((each) => ({ type, name, data: { port: each.port, target: hostOf(each) } }));
  }
  const address = type === 'A' && named.find((each) => hostOf(each) === name)?.address;
  return address ? [{ type: 'A', name, data: address }] : [];
}
