// The few calls that the catalog makes to DynamoDB, each read consistent and each refusal an outcome.
import {
  type DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  type PutCommandInput,
  QueryCommand,
  TransactWriteCommand,
  type TransactWriteCommandInput,
  UpdateCommand,
  type UpdateCommandInput,
} from '@aws-sdk/lib-dynamodb';
import { AwsUnavailable } from '../contracts/errors.ts';
import { callAws, nameOf } from './aws-call.ts';
import type { Item } from './catalog-dynamodb-items.ts';
import type { Key } from './catalog-items.ts';
import type { Clock, Random } from './ports.ts';

/** `refused`: the condition did not hold. */
type Written = 'written' | 'refused';
type Untabled<Write> = Omit<Write, 'TableName'>;
type Write = NonNullable<TransactWriteCommandInput['TransactItems']>[number];
/** A part of a transaction; the table is added here. */
export type Part = { [Kind in keyof Write]: Untabled<NonNullable<Write[Kind]>> };

export interface CatalogTable {
  get(key: Key): Promise<Item | undefined>;
  /** @param options.where fields that must have these values, where one is given */
  query(
    range: { pk: string; prefix: string; from?: string },
    options?: { newestFirst?: boolean; pageSize?: number; where?: Record<string, string | undefined> },
  ): AsyncIterable<Item>;
  put(input: Untabled<PutCommandInput>): Promise<Written>;
  update(input: Untabled<UpdateCommandInput>): Promise<Written>;
  /** All parts or none; says of each part whether its own condition held. */
  transact(parts: Part[]): Promise<Written[]>;
}

/** Transactions that meet on one item cancel each other: 1,000 hosts check the same lock. */
const CONFLICT_ATTEMPTS = 12;
const CONFLICT_WAIT_MS = { first: 25, most: 2_000 };

export function catalogTable(
  client: DynamoDBDocumentClient,
  { table: TableName, clock, random }: { table: string; clock: Clock; random: Random },
): CatalogTable {
  return {
    async get(Key) {
      const get = new GetCommand({ TableName, Key, ConsistentRead: true });
      return (await callAws('dynamodb:GetItem', () => client.send(get))).Item;
    },
    async *query({ pk, prefix, from }, { newestFirst = false, pageSize, where = {} } = {}) {
      const equal = Object.entries(where).filter(([, value]) => value !== undefined);
      const filter = equal.length > 0 && {
        FilterExpression: equal.map(([name]) => `#${name} = :${name}`).join(' AND '),
        ExpressionAttributeNames: Object.fromEntries(equal.map(([name]) => [`#${name}`, name])),
      };
      let ExclusiveStartKey: Item | undefined;
      do {
        const query = new QueryCommand({
          TableName,
          KeyConditionExpression: from
            ? 'pk = :pk AND sk BETWEEN :from AND :to'
            : 'pk = :pk AND begins_with(sk, :prefix)',
          ...filter,
          ExpressionAttributeValues: {
            ...{ ':pk': pk, ...(from ? { ':from': from, ':to': `${prefix}~` } : { ':prefix': prefix }) },
            ...Object.fromEntries(equal.map(([name, value]) => [`:${name}`, value])),
          },
          ScanIndexForward: !newestFirst,
          Limit: pageSize,
          ConsistentRead: true,
          ExclusiveStartKey,
        });
        const page = await callAws('dynamodb:Query', () => client.send(query));
        yield* page.Items ?? [];
        ExclusiveStartKey = page.LastEvaluatedKey;
      } while (ExclusiveStartKey);
    },
    put: (input) =>
      conditional('dynamodb:PutItem', () => client.send(new PutCommand({ ...input, TableName }))),
    update: (input) =>
      conditional('dynamodb:UpdateItem', () => client.send(new UpdateCommand({ ...input, TableName }))),
    async transact(parts) {
      const TransactItems = parts.map((part) => withTable(part, TableName));
      for (let attempt = 1; ; attempt++) {
        const outcome = await transactOnce(client, TransactItems, parts.length);
        if (outcome !== 'conflict') return outcome;
        if (attempt >= CONFLICT_ATTEMPTS) {
          throw new AwsUnavailable(`dynamodb:TransactWriteItems: in conflict ${attempt} times with others`);
        }
        const most = Math.min(CONFLICT_WAIT_MS.most, CONFLICT_WAIT_MS.first * 2 ** attempt);
        await clock.sleep(random.next() * most);
      }
    },
  };
}

function withTable(part: Part, TableName: string): Write {
  return Object.fromEntries(Object.entries(part).map(([kind, write]) => [kind, { ...write, TableName }]));
}

async function conditional(call: string, send: () => Promise<unknown>): Promise<Written> {
  try {
    await callAws(call, send, ['ConditionalCheckFailedException']);
    return 'written';
  } catch (error) {
    if (nameOf(error) === 'ConditionalCheckFailedException') return 'refused';
    throw error;
  }
}

async function transactOnce(
  client: DynamoDBDocumentClient,
  TransactItems: Write[],
  parts: number,
): Promise<Written[] | 'conflict'> {
  try {
    const transact = new TransactWriteCommand({ TransactItems });
    await callAws('dynamodb:TransactWriteItems', () => client.send(transact), [
      'TransactionCanceledException',
      'TransactionInProgressException',
    ]);
    return Array.from({ length: parts }, () => 'written');
  } catch (error) {
    const codes = cancellationCodes(error);
    if (!codes) throw error;
    const refused = codes.map((code) => (code === 'ConditionalCheckFailed' ? 'refused' : 'written'));
    return refused.includes('refused') ? refused : 'conflict';
  }
}

/** Undefined: not a cancelled transaction. Empty or without a refusal: it met another, or was throttled. */
function cancellationCodes(error: unknown): string[] | undefined {
  if (!(error instanceof Error)) return undefined;
  if (error.name === 'TransactionInProgressException') return [];
  if (error.name !== 'TransactionCanceledException') return undefined;
  const { CancellationReasons = [] } = error as { CancellationReasons?: Array<{ Code?: string }> };
  const codes = CancellationReasons.map((reason) => reason.Code ?? 'None');
  const known = ['None', 'ConditionalCheckFailed', 'TransactionConflict', 'ThrottlingError'];
  return codes.every((code) => known.includes(code)) ? codes : undefined;
}
