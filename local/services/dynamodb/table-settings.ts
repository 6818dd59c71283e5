// Table settings that DynamoDB Local lacks: point-in-time recovery and tags are recorded and answered, not enforced.
import { z } from 'zod';
import { JsonFile } from '../../endpoint/json-file.ts';
import { ServiceError } from '../../endpoint/service.ts';
import { tableName } from './permissions.ts';

const settings = z.record(
  z.string(),
  z.strictObject({
    pointInTimeRecovery: z.boolean().optional(),
    tags: z.record(z.string(), z.string()).optional(),
  }),
);
type Settings = z.infer<typeof settings>[string];
const tagList = z.array(z.strictObject({ Key: z.string(), Value: z.string() }));
const specification = z.strictObject({
  PointInTimeRecoveryEnabled: z.boolean(),
  RecoveryPeriodInDays: z.int().min(1).max(35).optional(),
});

type Json = Record<string, unknown>;

export class TableSettings {
  readonly #file: JsonFile<typeof settings>;

  constructor(path: string) {
    this.#file = new JsonFile(path, settings, {});
  }

  async #put(table: string, change: Settings): Promise<void> {
    await this.#file.update((all) => ({ ...all, [table]: { ...all[table], ...change } }));
  }

  /**
   * The answer to an operation that the engine lacks; undefined for every other.
   * @param mustExist throws where there is no such table
   */
  async answer(
    operation: string,
    input: Json,
    mustExist: (table: string) => Promise<void>,
  ): Promise<Json | undefined> {
    const handler = this.#handlers[operation];
    if (handler === undefined) return undefined;
    const table = tableName(String(input['TableName'] ?? input['ResourceArn']));
    await mustExist(table);
    return handler(table, input, (await this.#file.read())[table] ?? {});
  }

  readonly #handlers: Record<string, (table: string, input: Json, now: Settings) => Promise<Json>> = {
    DescribeContinuousBackups: async (_table, _input, now) => describeBackups(now),
    UpdateContinuousBackups: async (table, input) => {
      const wanted = parsed(
        specification,
        input['PointInTimeRecoverySpecification'],
        'PointInTimeRecoverySpecification',
      );
      const change = { pointInTimeRecovery: wanted.PointInTimeRecoveryEnabled };
      await this.#put(table, change);
      return describeBackups(change);
    },
    ListTagsOfResource: async (_table, _input, now) => ({
      Tags: Object.entries(now.tags ?? {}).map(([Key, Value]) => ({ Key, Value })),
    }),
    TagResource: async (table, input, now) => {
      const tags = parsed(tagList, input['Tags'], 'Tags').map(({ Key, Value }) => [Key, Value]);
      await this.#put(table, { tags: { ...now.tags, ...Object.fromEntries(tags) } });
      return {};
    },
    UntagResource: async (table, input, now) => {
      const removed = parsed(z.array(z.string()), input['TagKeys'], 'TagKeys');
      const tags = Object.entries(now.tags ?? {}).filter(([key]) => !removed.includes(key));
      await this.#put(table, { tags: Object.fromEntries(tags) });
      return {};
    },
  };
}

function describeBackups(now: Settings): Json {
  const status = now.pointInTimeRecovery ? 'ENABLED' : 'DISABLED';
  return {
    ContinuousBackupsDescription: {
      ContinuousBackupsStatus: 'ENABLED',
      PointInTimeRecoveryDescription: { PointInTimeRecoveryStatus: status },
    },
  };
}

/** @throws ServiceError ValidationException */
function parsed<Schema extends z.ZodType>(schema: Schema, value: unknown, field: string): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new ServiceError('ValidationException', `${field}: ${z.prettifyError(result.error)}`);
}
