// Which actions on which tables a DynamoDB call needs.
// Source: "Actions, resources, and condition keys for Amazon DynamoDB", Service Authorization Reference.
import { notImplemented } from '../../endpoint/protocols/protocol.ts';
import { LOCAL_ACCOUNT, LOCAL_REGION, ServiceError } from '../../endpoint/service.ts';

export interface Permission {
  action: string;
  resource: string;
}
type Json = Record<string, unknown>;

const onTable = new Set([
  'GetItem',
  'PutItem',
  'UpdateItem',
  'DeleteItem',
  'CreateTable',
  'DescribeTable',
  'DeleteTable',
  'UpdateTable',
  'DescribeTimeToLive',
  'UpdateTimeToLive',
  'DescribeContinuousBackups',
  'UpdateContinuousBackups',
]);
const onTableOrIndex = new Set(['Query', 'Scan']);
const onResourceArn = new Set(['ListTagsOfResource', 'TagResource', 'UntagResource']);
const onEverything = new Set(['ListTables', 'DescribeLimits']);
/** The members of a transaction's items, which are the actions' names but for the first. */
const transactItems = new Map([
  ['ConditionCheck', 'ConditionCheckItem'],
  ['Put', 'PutItem'],
  ['Update', 'UpdateItem'],
  ['Delete', 'DeleteItem'],
  ['Get', 'GetItem'],
]);

/** @throws ServiceError UnknownOperationException, ValidationException */
export function requiredPermissions(operation: string, input: Json): Permission[] {
  const action = `dynamodb:${operation}`;
  if (onEverything.has(operation)) return [{ action, resource: '*' }];
  if (onTable.has(operation)) return [{ action, resource: tableArn(stringOf(input, 'TableName')) }];
  if (onResourceArn.has(operation)) return [{ action, resource: stringOf(input, 'ResourceArn') }];
  if (onTableOrIndex.has(operation)) {
    const table = tableArn(stringOf(input, 'TableName'));
    const index = input['IndexName'];
    return [{ action, resource: typeof index === 'string' ? `${table}/index/${index}` : table }];
  }
  if (operation === 'BatchGetItem' || operation === 'BatchWriteItem') {
    const tables = Object.keys(objectOf(input['RequestItems']));
    return tables.map((table) => ({ action, resource: tableArn(table) }));
  }
  if (operation === 'TransactWriteItems' || operation === 'TransactGetItems') return ofTransaction(input);
  throw notImplemented(action);
}

function ofTransaction(input: Json): Permission[] {
  const items: unknown[] = Array.isArray(input['TransactItems']) ? input['TransactItems'] : [];
  return items.flatMap((item) =>
    Object.entries(objectOf(item)).map(([member, content]) => {
      const action = transactItems.get(member);
      if (action === undefined) throw new ServiceError('ValidationException', `TransactItems: ${member}`);
      return { action: `dynamodb:${action}`, resource: tableArn(stringOf(objectOf(content), 'TableName')) };
    }),
  );
}

const ARN_START = `arn:aws:dynamodb:${LOCAL_REGION}:${LOCAL_ACCOUNT}:table/`;

/** @param nameOrArn a table's name, or its ARN, which is answered as it is */
export function tableArn(nameOrArn: string): string {
  return nameOrArn.startsWith('arn:') ? nameOrArn : `${ARN_START}${nameOrArn}`;
}

export function tableName(nameOrArn: string): string {
  return nameOrArn.startsWith(ARN_START) ? nameOrArn.slice(ARN_START.length) : nameOrArn;
}

function stringOf(input: Json, field: string): string {
  const value = input[field];
  if (typeof value !== 'string' || value === '') {
    throw new ServiceError('ValidationException', `${field}: got ${JSON.stringify(value)}, expected a name`);
  }
  return value;
}

function objectOf(value: unknown): Json {
  return value !== null && typeof value === 'object' ? { ...value } : {};
}
