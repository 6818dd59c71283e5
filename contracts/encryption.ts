// What hosts, steps and policies agree on about encryption.

/** Key of the encryption context that binds a data key to its cluster; the value is the cluster ID. */
export const ENCRYPTION_CONTEXT_KEY = 'ringvault:cluster';
