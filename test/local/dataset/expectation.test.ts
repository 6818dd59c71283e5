import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareReading } from '../../../local/dataset/expectation.ts';
import { type Reading, type RowGroup, RowSums } from '../../../local/dataset/reading.ts';

const NOW = 1_800_000_000;
type Row = [text: string, expiresAt: number | null];

function groupsOf(rows: readonly Row[]): RowGroup[] {
  const sums = new RowSums();
  for (const [text, expiresAt] of rows) sums.add(text, expiresAt);
  return sums.groups();
}
const readingOf = (rows: readonly Row[]): Reading => ({ from: NOW, until: NOW, groups: groupsOf(rows) });

const row: fc.Arbitrary<Row> = fc.tuple(fc.string(), fc.constantFrom(null, NOW + 10, NOW + 20));
const rows = fc.array(row, { maxLength: 20 });

describe('comparison of rows', () => {
  it('holds for the same rows in any order', () => {
    fc.assert(
      fc.property(
        rows.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))),
        ([all, shuffled]) => {
          expect(compareReading('t', groupsOf(all), readingOf(shuffled))).toMatchObject([{ same: true }]);
        },
      ),
    );
  });

  it('fails for a row lost, doubled, changed, or with another expiry', () => {
    fc.assert(
      fc.property(row, rows, (first, others) => {
        const all = [first, ...others];
        const [text, expiresAt] = first;
        const wrong: Row[][] = [
          others,
          [first, ...all],
          [[`${text}!`, expiresAt], ...others],
          [[text, expiresAt === null ? NOW + 10 : expiresAt + 1], ...others],
        ];
        for (const got of wrong) {
          expect(compareReading('t', groupsOf(all), readingOf(got))).toMatchObject([{ same: false }]);
        }
      }),
    );
  });

  it('expects rows to be gone once their time has come', () => {
    const expected = groupsOf([
      ['stays', null],
      ['ended', NOW - 5],
      ['ends now', NOW],
    ]);
    expect(compareReading('t', expected, readingOf([['stays', null]]))).toMatchObject([
      { same: true },
      { what: 't: those that ended since', expected: '2 rows gone', got: '2 rows gone', same: true },
    ]);
    const revived = readingOf([
      ['stays', null],
      ['ended', NOW - 5],
    ]);
    expect(compareReading('t', expected, revived)).toMatchObject([
      { same: false },
      { expected: '2 rows gone', got: '1 row still there', same: false },
    ]);
  });

  it('shows an error as what was got', () => {
    const expected = groupsOf([['stays', null]]);
    expect(compareReading('t', expected, new Error('table t does not exist'))).toMatchObject([
      { got: 'Error: table t does not exist', same: false },
    ]);
  });
});
