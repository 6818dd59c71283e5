// Gathers the files of a listing by the object that holds them: one request fetches a pack.
import type { ListedFile } from '../../contracts/manifests.ts';

/** Packs of SSTables of one name in several data directories are listed in turn. */
const MOST_OPEN = 64;

/** Each object's files, in the order in which they lie in it. @param files in the order of a listing */
export async function* byObject(
  files: AsyncIterable<ListedFile>,
): AsyncGenerator<[ListedFile, ...ListedFile[]]> {
  const open = new Map<string, [ListedFile, ...ListedFile[]]>();
  for await (const file of files) {
    if (file.pack === undefined) {
      yield [file];
      continue;
    }
    const key = `${file.dataDirectory} ${file.pack}`;
    const gathered = open.get(key);
    // The same pack again is another SSTable with the same bytes.
    if (gathered && follows(gathered, file)) {
      gathered.push(file);
      continue;
    }
    if (gathered) yield gathered;
    open.delete(key);
    open.set(key, [file]);
    const [oldest] = open.entries();
    if (open.size > MOST_OPEN && oldest) {
      open.delete(oldest[0]);
      yield oldest[1];
    }
  }
  yield* open.values();
}

function follows(gathered: ListedFile[], { offset = 0 }: ListedFile): boolean {
  const last = gathered.at(-1);
  return last !== undefined && offset >= (last.offset ?? 0) + last.sizeBytes;
}
