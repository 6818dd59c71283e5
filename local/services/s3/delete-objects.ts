// DeleteObjects: each key is authorised on its own; those refused are in the answer beside those deleted.
import { text } from 'node:stream/consumers';
import { element, escapeXml, unescapeXml } from '../../endpoint/protocols/xml.ts';
import { ServiceError } from '../../endpoint/service.ts';
import { xmlDocument } from './bucket-settings.ts';
import { storeTarget } from './operations.ts';
import type { Store } from './store.ts';

/**
 * Answers the XML of DeleteResult.
 * @param mayDelete throws ServiceError where the key may not be deleted
 */
export async function deleteObjects(
  store: Store,
  bucket: string,
  requestXml: string,
  mayDelete: (key: string) => void,
): Promise<string> {
  if (requestXml.includes('<VersionId>')) {
    throw new ServiceError('NotImplemented', "Ringvault's local cloud keeps no object versions.", 501);
  }
  const quiet = /<Quiet>\s*true\s*<\/Quiet>/.test(requestXml);
  const keys = [...requestXml.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key = '']) => unescapeXml(key));
  if (keys.length === 0) throw new ServiceError('MalformedXML', 'The body names no key.');
  const results: string[] = [];
  for (const key of keys) {
    const error = await deleteOne(store, bucket, key, mayDelete);
    const name = element('Key', escapeXml(key));
    if (error !== undefined) {
      const told = element('Code', error.code) + element('Message', escapeXml(error.message));
      results.push(element('Error', name + told));
    } else if (!quiet) results.push(element('Deleted', name));
  }
  return xmlDocument('DeleteResult', results.join(''));
}

async function deleteOne(
  store: Store,
  bucket: string,
  key: string,
  mayDelete: (key: string) => void,
): Promise<{ code: string; message: string } | undefined> {
  try {
    mayDelete(key);
  } catch (error) {
    if (error instanceof ServiceError) return { code: 'AccessDenied', message: error.message };
    throw error;
  }
  const deleted = await store.send({ method: 'DELETE', target: storeTarget(bucket, key), headers: {} });
  const body = await text(deleted);
  if (deleted.statusCode === 204 || deleted.statusCode === 404) return undefined;
  return { code: 'InternalError', message: body };
}
