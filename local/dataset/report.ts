// The comparison as a table for people.
import Table from 'cli-table3';
import type { Comparison } from './expectation.ts';

export function renderComparison(comparisons: readonly Comparison[]): string {
  const table = new Table({ head: ['what', 'expected', 'got', ''], style: { head: [], border: [] } });
  for (const { what, expected, got, same } of comparisons) {
    table.push([what, expected, same ? got : got.slice(0, 60), same ? 'same' : 'DIFFERENT']);
  }
  return table.toString();
}
