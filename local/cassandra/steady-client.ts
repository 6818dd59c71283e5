import { Client, type ClientOptions } from 'cassandra-driver';

/**
 * A client that lives through stops of the whole cluster. The driver (4.10, NODEJS-681) watches the connection that it
 * found after such a stop twice, so that the next stop has it reconnect twice at once: one clears what the other uses,
 * which ends as an unhandled rejection and a client without connections. Here each connection is watched once.
 */
export function steadyClient(options: ClientOptions): Client {
  const client = new Client(options);
  const { controlConnection } = client as unknown as { controlConnection: ControlConnection };
  const watch = controlConnection._setHealthListeners.bind(controlConnection);
  const watched = new WeakSet();
  controlConnection._setHealthListeners = (host, connection) => {
    if (watched.has(connection)) return;
    watched.add(connection);
    watch(host, connection);
  };
  return client;
}

interface ControlConnection {
  _setHealthListeners(host: object, connection: object): void;
}
