// What hosts and their policies agree on about data keys.

/** Key of the encryption context that binds a data key to its cluster; the value is the cluster ID. */
export const ENCRYPTION_CONTEXT_KEY = 'ringvault:cluster';
