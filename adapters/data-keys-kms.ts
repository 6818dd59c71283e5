// A cluster's data keys from KMS. Each is bound to the cluster: KMS unwraps it for no other, whoever asks.
import { DecryptCommand, GenerateDataKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { ENCRYPTION_CONTEXT_KEY } from '../contracts/encryption.ts';
import { AwsCallFailed, EncryptionKeyDenied } from '../contracts/errors.ts';
import { callAws, nameOf } from './aws-call.ts';
import type { DataKeys, UnwrappedKey } from './ports.ts';

/** The key cannot be used, and a retry does not help. */
const DENIED = [
  'AccessDeniedException',
  'DisabledException',
  'NotFoundException',
  'KMSInvalidStateException',
];
/** What was given was not wrapped by a key of this account, or for another cluster. */
const NOT_OURS = ['InvalidCiphertextException', 'IncorrectKeyException', 'ValidationException'];

const TIMEOUTS = { connectionTimeout: 5_000, requestTimeout: 20_000, throwOnRequestTimeout: true };
/** AES-256. */
const KEY_BYTES = 32;

/** @param regions that may have the key which wrapped what is unwrapped; new keys are of the first */
export function kmsDataKeys(options: {
  clusterId: string;
  regions?: ReadonlyArray<string | undefined>;
  /** Instead of one for each region. */
  clients?: readonly [KMSClient, ...KMSClient[]];
}): DataKeys {
  const { clusterId, regions = [undefined] } = options;
  const made = (options.clients ? [] : regions).map(
    (region) => new KMSClient({ ...(region && { region }), maxAttempts: 6, requestHandler: TIMEOUTS }),
  );
  const { clients = made as [KMSClient, ...KMSClient[]] } = options;
  const [client] = clients;
  const EncryptionContext = { [ENCRYPTION_CONTEXT_KEY]: clusterId };
  /** A data key is asked for once, however many objects it encrypts. */
  const unwrapped = new Map<string, Promise<UnwrappedKey | undefined>>();
  return {
    async generate(KeyId) {
      const command = new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256', EncryptionContext });
      const answer = await named(`GenerateDataKey ${KeyId}`, () => client.send(command));
      return { ...keyOf(answer, KeyId), wrapped: Buffer.from(answer.CiphertextBlob ?? []) };
    },
    unwrap(wrapped) {
      const name = wrapped.toString('base64');
      const known = unwrapped.get(name) ?? unwrap(wrapped);
      unwrapped.set(name, known);
      known.catch(() => unwrapped.delete(name));
      return known;
    },
  };

  /** A wrapped key does not say where it was wrapped. */
  async function unwrap(wrapped: Buffer): Promise<UnwrappedKey | undefined> {
    let denied: unknown;
    for (const each of clients) {
      try {
        const unwrapped = await unwrapBy(each, wrapped);
        if (unwrapped) return unwrapped;
      } catch (error) {
        if (!(error instanceof EncryptionKeyDenied)) throw error;
        denied ??= error;
      }
    }
    if (denied) throw denied;
    return undefined;
  }

  async function unwrapBy(each: KMSClient, CiphertextBlob: Buffer): Promise<UnwrappedKey | undefined> {
    const command = new DecryptCommand({ CiphertextBlob, EncryptionContext });
    try {
      return keyOf(await named(`Decrypt for ${clusterId}`, () => each.send(command)), clusterId);
    } catch (error) {
      if (NOT_OURS.includes(nameOf(error))) return undefined;
      throw error;
    }
  }
}

interface Answered {
  Plaintext?: Uint8Array | undefined;
  KeyId?: string | undefined;
}

function keyOf({ Plaintext: plaintext, KeyId: kmsKeyArn }: Answered, of: string): UnwrappedKey {
  if (plaintext?.length === KEY_BYTES && kmsKeyArn) return { plaintext: Buffer.from(plaintext), kmsKeyArn };
  throw new AwsCallFailed(
    `kms, key of ${of}: got ${plaintext?.length ?? 0} bytes by ${kmsKeyArn}, expected ${KEY_BYTES}, and whose they are`,
  );
}

async function named<Answer>(call: string, send: () => Promise<Answer>): Promise<Answer> {
  try {
    return await callAws(`kms ${call}`, send, [...DENIED, ...NOT_OURS]);
  } catch (error) {
    if (!DENIED.includes(nameOf(error))) throw error;
    throw new EncryptionKeyDenied(`kms ${call}: got ${nameOf(error)}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
