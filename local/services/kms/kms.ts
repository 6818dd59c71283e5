// KMS's API, as far as data keys are made and unwrapped, and keys are looked at, disabled and enabled.
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import {
  type CallContext,
  type ConditionContext,
  type JsonService,
  LOCAL_ACCOUNT,
} from '../../endpoint/service.ts';
import { operation } from '../operation.ts';
import type { EncryptionContext, Keys, KmsKey } from './keys.ts';

const keyId = { KeyId: z.string() };
const encryptionContext = z.record(z.string(), z.string()).default({});
const blob = z.base64().transform((text) => Buffer.from(text, 'base64'));

export function kmsService(keys: Keys): JsonService {
  const administered = (action: string, idOrArn: string, context: CallContext): KmsKey => {
    const key = keys.get(idOrArn);
    context.authorize(`kms:${action}`, key.arn);
    return key;
  };
  return {
    protocol: 'json',
    signingName: 'kms',
    targetPrefix: 'TrentService',
    jsonVersion: '1.1',
    operations: {
      GenerateDataKey: operation(
        z.strictObject({
          ...keyId,
          KeySpec: z.literal('AES_256'),
          EncryptionContext: encryptionContext,
        }),
        async ({ KeyId, EncryptionContext }, context) => {
          const { arn } = keys.get(KeyId);
          context.authorize('kms:GenerateDataKey', arn, kmsConditions(EncryptionContext));
          const plaintext = randomBytes(32);
          const wrapped = keys.wrap(arn, plaintext, EncryptionContext);
          return {
            KeyId: arn,
            Plaintext: plaintext.toString('base64'),
            CiphertextBlob: wrapped.toString('base64'),
          };
        },
      ),
      Decrypt: operation(
        z.strictObject({
          CiphertextBlob: blob,
          EncryptionContext: encryptionContext,
          KeyId: z.string().optional(),
        }),
        async ({ CiphertextBlob, EncryptionContext }, context) => {
          const { arn } = keys.keyOf(CiphertextBlob);
          context.authorize('kms:Decrypt', arn, kmsConditions(EncryptionContext));
          const plaintext = keys.unwrap(CiphertextBlob, EncryptionContext);
          return {
            KeyId: arn,
            Plaintext: plaintext.toString('base64'),
            EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
          };
        },
      ),
      DescribeKey: operation(z.strictObject(keyId), async ({ KeyId }, context) => {
        const { id, arn, description, isEnabled } = administered('DescribeKey', KeyId, context);
        const KeyState = isEnabled ? 'Enabled' : 'Disabled';
        return {
          KeyMetadata: { KeyId: id, Arn: arn, Description: description, Enabled: isEnabled, KeyState },
        };
      }),
      DisableKey: operation(z.strictObject(keyId), async ({ KeyId }, context) => {
        keys.setEnabled(administered('DisableKey', KeyId, context).id, false);
        return {};
      }),
      EnableKey: operation(z.strictObject(keyId), async ({ KeyId }, context) => {
        keys.setEnabled(administered('EnableKey', KeyId, context).id, true);
        return {};
      }),
    },
  };
}

/** Condition keys of a call with an encryption context. @param via the service that calls for somebody, as `s3` */
export function kmsConditions(encryptionContext: EncryptionContext, via?: string): ConditionContext {
  const conditions: ConditionContext = { 'aws:resourceaccount': LOCAL_ACCOUNT };
  for (const [name, value] of Object.entries(encryptionContext)) {
    conditions[`kms:encryptioncontext:${name.toLowerCase()}`] = value;
  }
  if (via !== undefined) conditions['kms:viaservice'] = via;
  return conditions;
}
