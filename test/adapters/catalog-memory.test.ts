import { memoryCatalog } from '../../adapters/catalog-memory.ts';
import { systemClock } from '../../adapters/clock-system.ts';
import { catalogSuite } from './catalog.suite.ts';

catalogSuite('memory', async () => memoryCatalog({ clock: systemClock }));
