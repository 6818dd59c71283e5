// Secrets, kept in one file that only its owner can read: each with its current value and the one before.
import { randomBytes, randomUUID } from 'node:crypto';
import { z } from 'zod';
import { JsonFile } from '../../endpoint/json-file.ts';
import { LOCAL_ACCOUNT, LOCAL_REGION, ServiceError } from '../../endpoint/service.ts';

const version = z.strictObject({ id: z.string(), value: z.string(), createdAt: z.coerce.date() });
const secret = z.strictObject({
  arn: z.string(),
  name: z.string(),
  description: z.string().optional(),
  current: version,
  previous: version.optional(),
});
const secrets = z.array(secret);
export type Secret = z.infer<typeof secret>;

const ARN_START = `arn:aws:secretsmanager:${LOCAL_REGION}:${LOCAL_ACCOUNT}:secret:`;
/** Six characters that Secrets Manager puts behind a name. */
const SUFFIX = /-[A-Za-z0-9]{6}$/;

export class Secrets {
  readonly #file: JsonFile<typeof secrets>;
  readonly #now: () => Date;

  constructor(path: string, now: () => Date) {
    this.#file = new JsonFile(path, secrets, []);
    this.#now = now;
  }

  /** Creates the secret with exactly this ARN, or gives it a new value: configurations name secrets by their whole ARN. */
  async putByArn(arn: string, value: string): Promise<void> {
    if (!arn.startsWith(ARN_START) || !SUFFIX.test(arn)) {
      throw new ServiceError(
        'InvalidParameterException',
        `got ${arn}, expected ${ARN_START}<name>-<6 characters>`,
      );
    }
    if ((await this.find(arn)) !== undefined) await this.putValue(arn, value);
    else await this.#add(arn, value);
  }

  /** @throws ServiceError ResourceExistsException */
  async create(name: string, value: string, description?: string): Promise<Secret> {
    if ((await this.find(name)) !== undefined) {
      throw new ServiceError('ResourceExistsException', `The secret ${name} already exists.`);
    }
    const suffix = randomBytes(3).toString('hex');
    return this.#add(`${ARN_START}${name}-${suffix}`, value, description);
  }

  /** @throws ServiceError ResourceNotFoundException */
  async putValue(nameOrArn: string, value: string): Promise<Secret> {
    const current = this.#version(value);
    let changed: Secret | undefined;
    await this.#file.update((all) =>
      all.map((each) => {
        if (!isNamed(each, nameOrArn)) return each;
        changed = { ...each, current, previous: each.current };
        return changed;
      }),
    );
    if (changed === undefined) throw notFound();
    return changed;
  }

  async find(nameOrArn: string): Promise<Secret | undefined> {
    return (await this.list()).find((each) => isNamed(each, nameOrArn));
  }

  list(): Promise<Secret[]> {
    return this.#file.read();
  }

  async #add(arn: string, value: string, description?: string): Promise<Secret> {
    const name = arn.slice(ARN_START.length).replace(SUFFIX, '');
    const added: Secret = {
      arn,
      name,
      ...(description === undefined ? {} : { description }),
      current: this.#version(value),
    };
    await this.#file.update((all) => [...all, added]);
    return added;
  }

  #version(value: string) {
    return { id: randomUUID(), value, createdAt: this.#now() };
  }
}

/** By name, whole ARN, or ARN without its suffix. */
function isNamed({ name, arn }: Secret, nameOrArn: string): boolean {
  return nameOrArn === name || nameOrArn === arn || nameOrArn === arn.replace(SUFFIX, '');
}

/** The ARN to authorise a call by where there is no such secret. */
export function arnOf(nameOrArn: string): string {
  return nameOrArn.startsWith('arn:') ? nameOrArn : `${ARN_START}${nameOrArn}`;
}

export function notFound(): ServiceError {
  return new ServiceError('ResourceNotFoundException', "Secrets Manager can't find the specified secret.");
}
