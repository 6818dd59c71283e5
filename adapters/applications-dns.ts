// Finds a cluster's applications by the SRV record of its pause hook.
import { Resolver } from 'node:dns/promises';
import { ApplicationsUnknown } from '../contracts/errors.ts';
import { type Application, byName, type GrpcHook } from '../contracts/pause.ts';

const NOT_THERE = ['ENODATA', 'ENOTFOUND'];

/** Every address of every target, sorted; none where DNS says that there is no such record. @throws ApplicationsUnknown */
export async function findApplications({
  srv,
  nameServers,
}: Pick<GrpcHook, 'srv' | 'nameServers'>): Promise<Application[]> {
  const resolver = new Resolver({ timeout: 2_000, tries: 3 });
  if (nameServers) resolver.setServers(nameServers);
  try {
    const records = await resolver.resolveSrv(srv).catch(noneWhereThereIsNone);
    const found = await Promise.all(
      records.map(async ({ name, port }) =>
        (await addressesOf(resolver, name)).map((address) => ({ name: `${name}:${port}`, address, port })),
      ),
    );
    return found.flat().sort(byName);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ApplicationsUnknown(`SRV ${srv}: got ${why}, expected the applications`, { cause });
  }
}

function noneWhereThereIsNone(error: NodeJS.ErrnoException): [] {
  if (NOT_THERE.includes(error.code ?? '')) return [];
  throw error;
}

async function addressesOf(resolver: Resolver, name: string): Promise<string[]> {
  try {
    return await resolver.resolve4(name);
  } catch (error) {
    if (!NOT_THERE.includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    return resolver.resolve6(name);
  }
}
