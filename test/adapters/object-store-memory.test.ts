import { memoryObjectStore } from '../../adapters/object-store-memory.ts';
import { objectStoreSuite } from './object-store.suite.ts';

objectStoreSuite('memory', 1024, async () => memoryObjectStore());
