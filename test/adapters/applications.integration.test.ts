// How applications are called: over TLS, by each address that DNS has, and by way of the Lambda in their VPC.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { findApplications } from '../../adapters/applications-dns.ts';
import { askApplications } from '../../adapters/applications-grpc.ts';
import { lambdaApplications } from '../../adapters/applications-lambda.ts';
import { systemClock } from '../../adapters/clock-system.ts';
import { ApplicationsUnknown } from '../../contracts/errors.ts';
import type { Application, GrpcHook } from '../../contracts/pause.ts';
import { runStep } from '../../lambdas/wrapper/define-step.ts';
import { newWorld } from '../lambdas/support/world.ts';
import { startApplication } from '../shared/applications/application.ts';
import { startNameServer } from '../shared/applications/name-server.ts';

const vpc = { subnetIds: ['subnet-0a1b2c3d'], securityGroupIds: ['sg-0a1b2c3d'] };
const SRV = '_admin._tcp.orders.test';

function hookWith(grpc: Partial<GrpcHook>) {
  return { waitSeconds: 1, waitOutstanding: true, grpc: { srv: SRV, vpc, ...grpc } };
}

describe('over TLS', () => {
  let directory: string;
  let pfx: Buffer;
  let caCertificate: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'ringvault-tls-'));
    const store = ['-keystore', join(directory, 'store.p12'), '-storepass', 'changeit', '-alias', 'it'];
    const about = ['-dname', 'CN=orders.test', '-ext', 'SAN=dns:orders.test', '-keyalg', 'RSA'];
    await execa('keytool', ['-genkeypair', ...store, ...about, '-storetype', 'PKCS12']);
    await execa('keytool', ['-exportcert', '-rfc', ...store, '-file', join(directory, 'ca.pem')]);
    pfx = await readFile(join(directory, 'store.p12'));
    caCertificate = await readFile(join(directory, 'ca.pem'), 'utf8');
  });
  afterAll(() => rm(directory, { recursive: true }));

  /** In front of an application that speaks in the clear. */
  async function secured() {
    const behind = await startApplication('orders.test');
    const front = createServer({ pfx, passphrase: 'changeit', ALPNProtocols: ['h2'] }, (socket) => {
      const through = connect(behind.port, behind.address);
      socket.on('error', () => through.destroy()).pipe(through);
      through.on('error', () => socket.destroy()).pipe(socket);
    });
    await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      behind.die();
      front.close();
    });
    const { port } = front.address() as AddressInfo;
    return { behind, named: (name: string) => ({ name: `${name}:${port}`, address: '127.0.0.1', port }) };
  }
  const pause = async (application: Application, tls: GrpcHook['tls']) => {
    const hook = hookWith({ tls });
    const asked = { call: 'pause' as const, hook, applications: [application] };
    return (await askApplications(asked, asked.hook.grpc, systemClock)).answers[0]?.answer;
  };

  it('calls a server whose certificate has the name that SRV gives, or the one that the hook does', async () => {
    const { behind, named } = await secured();
    expect(await pause(named('orders.test'), { caCertificate })).toBe('done');
    expect(await pause(named('orders-1.test'), { caCertificate, serverName: 'orders.test' })).toBe('done');
    expect(behind.calls).toEqual(['Pause', 'Pause']);
  });

  it('calls none with another name, of another CA, or in the clear', async () => {
    const { behind, named } = await secured();
    expect(await pause(named('orders-1.test'), { caCertificate })).toBe('unreachable');
    expect(await pause(named('orders.test'), {})).toBe('unreachable');
    expect(await pause(named('orders.test'), undefined)).toBe('unreachable');
    expect(behind.calls).toEqual([]);
  });
});

describe('an application', () => {
  it('that answers that it is unavailable refuses; one that no connection reaches is unreachable', async () => {
    const application = await startApplication('orders.test');
    application.instead = {
      Pause: 'be unavailable',
      Unpause: 'be unavailable',
      CheckPaused: 'be unavailable',
    };
    const { name, address, port } = application;
    const ask = async (call: 'pause' | 'resume' | 'check') => {
      const asked = { call, hook: hookWith({}), applications: [{ name, address, port }] };
      return (await askApplications(asked, asked.hook.grpc, systemClock)).answers[0]?.answer;
    };
    const answers = async () => [await ask('pause'), await ask('resume'), await ask('check')];
    expect(await answers()).toEqual(['refused', 'refused', 'refused']);
    application.die();
    expect(await answers()).toEqual(['unreachable', 'unreachable', 'unreachable']);
  });
});

describe('by DNS', () => {
  it('finds every application that the record names, sorted, nobody where there is none, and tells what it could not ask', async () => {
    const dns = await startNameServer(SRV);
    const [one, two] = [7070, 7071].map((port) => ({ name: `a.test:${port}`, address: '127.0.0.1', port }));
    if (one && two) dns.named = [two, one];
    const hook = { srv: SRV, nameServers: [dns.address] };
    expect(await findApplications(hook)).toEqual([one, two]);
    expect(await findApplications({ ...hook, srv: '_other._tcp.test' })).toEqual([]);
    await dns.close();
    await expect(findApplications({ ...hook, nameServers: ['127.0.0.1:1'] })).rejects.toThrow(
      /SRV _admin\._tcp\.orders\.test: got .*ECONNREFUSED/,
    );
  });
});

describe('by way of the Lambda in their VPC', () => {
  /** A client whose function answers as Lambda does. */
  function clientOf(answer: () => Promise<unknown>): LambdaClient {
    const client = new LambdaClient({ region: 'eu-west-1' });
    client.send = async () => {
      try {
        return { Payload: Buffer.from(JSON.stringify(await answer())) };
      } catch (error) {
        const { name, message } = error as Error;
        const told = { errorType: name, errorMessage: message };
        return { Payload: Buffer.from(JSON.stringify(told)), FunctionError: 'Unhandled' };
      }
    };
    return client;
  }
  const request = { call: 'discover', hook: hookWith({}) } as const;
  const functions = { demo: 'caller' };

  it('has its answer, checked, and its errors by their names', async () => {
    const answer = { found: [{ name: 'a.test:1', address: '10.0.0.1', port: 1 }], away: [], answers: [] };
    const good = lambdaApplications({ functions, client: clientOf(async () => answer) });
    expect(await good.ask('demo', request)).toEqual(answer);
    const wrong = lambdaApplications({ functions, client: clientOf(async () => ({ found: 1 })) });
    await expect(wrong.ask('demo', request)).rejects.toThrow(/found/);
    const step = () =>
      runStep('CallApplications', () => Promise.reject(new ApplicationsUnknown('none')), request, newWorld());
    const failing = lambdaApplications({ functions, client: clientOf(step) });
    await expect(failing.ask('demo', request)).rejects.toMatchObject({
      name: 'ApplicationsUnknown',
      message: 'none',
    });
    const dead = lambdaApplications({
      functions,
      client: clientOf(() => Promise.reject(Object.assign(new Error('gone'), { name: 'Runtime.ExitError' }))),
    });
    await expect(dead.ask('demo', request)).rejects.toMatchObject({ name: 'UnexpectedError' });
  });

  it('is refused for a cluster without a hook', async () => {
    const none = lambdaApplications({ functions, client: clientOf(async () => ({})) });
    await expect(none.ask('other', request)).rejects.toMatchObject({ name: 'InvalidConfiguration' });
  });
});
