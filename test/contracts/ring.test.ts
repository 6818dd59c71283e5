import { expect, it } from 'vitest';
import { isSystemKeyspace } from '../../contracts/ring.ts';

it('takes for the system’s own what Cassandra has, and no user’s keyspace that is named alike', () => {
  const names = ['system', 'system_schema', 'system_auth', 'system_traces', 'system_views'];
  expect(names.filter((name) => !isSystemKeyspace(name))).toEqual([]);
  expect(['system_of_record', 'systems', 'shop'].filter(isSystemKeyspace)).toEqual([]);
});
