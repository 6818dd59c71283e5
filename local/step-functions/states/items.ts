// Where a Map's items come from: a value at hand or, for a Distributed Map, a JSON array in an S3 object.
import type { MapState } from '../definition.ts';
import { StateFailure } from '../failures.ts';
import { evaluate, type MapItem, type Visit } from '../strand.ts';
import { race } from '../waiting.ts';

/** An item as its iteration gets it. @throws StateFailure */
export async function selectItem(visit: Visit, state: MapState, item: MapItem): Promise<unknown> {
  if (state.ItemSelector === undefined) return item.Value;
  return evaluate(visit, state.ItemSelector, 'ItemSelector', { item });
}

/** @throws StateFailure States.QueryEvaluationError where it is no array */
export async function inlineItems(visit: Visit, state: MapState): Promise<unknown[]> {
  const items = state.Items === undefined ? visit.input : await evaluate(visit, state.Items, 'Items');
  if (Array.isArray(items)) return items;
  throw new StateFailure(
    'States.QueryEvaluationError',
    `Items of state '${visit.name}' must be an array, got ${JSON.stringify(items).slice(0, 100)}`,
  );
}

/** @throws StateFailure States.ItemReaderFailed where it is missing, denied, or no JSON array */
export async function readItems(
  visit: Visit,
  reader: NonNullable<MapState['ItemReader']>,
): Promise<unknown[]> {
  const { engine, execution, signal } = visit.strand;
  const { roleArn, arn } = execution.plan.machine;
  const { bucket, key } = await location(visit, reader.Arguments);
  const failed = (why: string) =>
    new StateFailure('States.ItemReaderFailed', `Attempting to read s3://${bucket}/${key} failed: ${why}`);
  const partition = arn.split(':')[1];
  const resource = `arn:${partition}:s3:::${bucket}/${key}`;
  const decision = engine.ports.authorize(roleArn, 's3:GetObject', resource);
  if (!decision.allowed) {
    throw failed(`${roleArn} is not authorized to perform: s3:GetObject on ${resource}: ${decision.reason}`);
  }
  const body = await race(signal, [
    async () => {
      try {
        return await engine.ports.readObject({ roleArn, bucket, key });
      } catch (error) {
        throw failed(error instanceof Error ? error.message : String(error));
      }
    },
  ]);
  if (!body) throw failed('there is no such object');
  return parseItems(body, failed);
}

function parseItems(body: Buffer, failed: (why: string) => StateFailure): unknown[] {
  let items: unknown;
  try {
    items = JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw failed(`it is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!Array.isArray(items)) throw failed('it is not a JSON array');
  return items;
}

async function location(
  visit: Visit,
  given: { Bucket: string; Key: string },
): Promise<{ bucket: string; key: string }> {
  const [bucket, key] = [
    await evaluate(visit, given.Bucket, 'ItemReader/Arguments/Bucket'),
    await evaluate(visit, given.Key, 'ItemReader/Arguments/Key'),
  ];
  if (typeof bucket === 'string' && typeof key === 'string') return { bucket, key };
  throw new StateFailure(
    'States.QueryEvaluationError',
    `ItemReader/Arguments must be strings, got ${JSON.stringify({ bucket, key })}`,
  );
}
