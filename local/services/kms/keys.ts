// KMS keys, in memory as long as the local cloud runs. What they wrap is really encrypted, and bound to its context.
import { createCipheriv, createDecipheriv, randomBytes, randomUUID } from 'node:crypto';
import { LOCAL_ACCOUNT, LOCAL_PARTITION, LOCAL_REGION, ServiceError } from '../../endpoint/service.ts';

export type EncryptionContext = Record<string, string>;

export interface KmsKey {
  id: string;
  arn: string;
  description: string;
  isEnabled: boolean;
}

interface StoredKey extends KmsKey {
  material: Buffer;
}

const CIPHER = 'aes-256-gcm';
const ID_BYTES = 36;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const ARN_START = `arn:${LOCAL_PARTITION}:kms:${LOCAL_REGION}:${LOCAL_ACCOUNT}:key/`;

export class Keys {
  readonly #keys = new Map<string, StoredKey>();
  readonly #byName = new Map<string, StoredKey>();

  /** @param name the same one names the same key: a stack that is deployed again keeps its own */
  create(description: string, name: string = randomUUID()): KmsKey {
    const before = this.#byName.get(name);
    if (before) return before;
    const id = randomUUID();
    const key = { id, arn: ARN_START + id, description, isEnabled: true, material: randomBytes(32) };
    this.#keys.set(id, key);
    this.#byName.set(name, key);
    return key;
  }

  setEnabled(idOrArn: string, isEnabled: boolean): void {
    this.#find(idOrArn).isEnabled = isEnabled;
  }

  /** @param idOrArn a key's ID or ARN @throws ServiceError NotFoundException */
  get(idOrArn: string): KmsKey {
    return this.#find(idOrArn);
  }

  /** @throws ServiceError NotFoundException DisabledException */
  wrap(idOrArn: string, plaintext: Buffer, context: EncryptionContext): Buffer {
    const { id, material } = this.#usable(idOrArn);
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, material, nonce).setAAD(bytesOf(context));
    const sealed = Buffer.concat([cipher.update(plaintext), cipher.final()]);
    return Buffer.concat([Buffer.from(id), nonce, cipher.getAuthTag(), sealed]);
  }

  /** Which key wrapped it. @throws ServiceError InvalidCiphertextException */
  keyOf(wrapped: Buffer): KmsKey {
    const key = this.#keys.get(wrapped.subarray(0, ID_BYTES).toString());
    // AWS does not tell whose it is.
    if (!key)
      throw new ServiceError(
        'AccessDeniedException',
        'The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.',
      );
    return key;
  }

  /** @throws ServiceError InvalidCiphertextException DisabledException */
  unwrap(wrapped: Buffer, context: EncryptionContext): Buffer {
    const { material } = this.#usable(this.keyOf(wrapped).id);
    const sealedAt = ID_BYTES + NONCE_BYTES + TAG_BYTES;
    if (wrapped.length < sealedAt) throw invalid();
    const decipher = createDecipheriv(CIPHER, material, wrapped.subarray(ID_BYTES, ID_BYTES + NONCE_BYTES));
    decipher.setAAD(bytesOf(context)).setAuthTag(wrapped.subarray(ID_BYTES + NONCE_BYTES, sealedAt));
    const plaintext = decipher.update(wrapped.subarray(sealedAt));
    try {
      decipher.final();
    } catch {
      throw invalid();
    }
    return plaintext;
  }

  #usable(idOrArn: string): StoredKey {
    const key = this.#find(idOrArn);
    if (!key.isEnabled) throw new ServiceError('DisabledException', `${key.arn} is disabled.`);
    return key;
  }

  #find(idOrArn: string): StoredKey {
    const key = this.#keys.get(idOrArn.replace(ARN_START, ''));
    if (!key) throw new ServiceError('NotFoundException', `Key '${idOrArn}' does not exist`);
    return key;
  }
}

function invalid(): ServiceError {
  return new ServiceError('InvalidCiphertextException', 'The ciphertext is not of this context.');
}

function bytesOf(context: EncryptionContext): Buffer {
  return Buffer.from(
    JSON.stringify(Object.entries(context).sort(([one], [other]) => (one < other ? -1 : 1))),
  );
}
