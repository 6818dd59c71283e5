// clusters.json beside the bundle: which clusters are deployed, and by which configuration.
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { deployedConfiguration } from '../../contracts/configuration.ts';
import { parseDocument } from '../../contracts/documents.ts';
import { UnknownCluster } from '../../contracts/errors.ts';
import type { StepPorts } from './step-ports.ts';

export function readDeployedClusters(): StepPorts['clusters'] {
  const file = new URL('./clusters.json', import.meta.url);
  return parseDocument(
    z.record(z.string(), deployedConfiguration),
    readFileSync(file, 'utf8'),
    file.pathname,
  );
}

/** @throws UnknownCluster */
export function deployedCluster(ports: Pick<StepPorts, 'clusters'>, clusterId: string) {
  const deployed = Object.hasOwn(ports.clusters, clusterId) ? ports.clusters[clusterId] : undefined;
  if (deployed) return deployed;
  const known = Object.keys(ports.clusters).join(', ') || 'there is none';
  throw new UnknownCluster(`got cluster "${clusterId}", expected one of those deployed: ${known}`);
}
