/** Winners of `tune.ts` in IndexedDB: one small database, one record per adapter, library version, precision and shape. */
import type { WinnerStore } from './tune.js';

const DATABASE = 'inpose-kernels';
const STORE = 'winners';

/**
 * @param scope - what the timings belong to: adapter and library version. Records of other scopes are dropped, so that the store
 *   does not grow with every update
 * @param precision - of the filters, whose times differ; records of both stay
 */
export function indexedDbStore(scope: string, precision: 'f32' | 'f16', factory: IDBFactory = indexedDB): WinnerStore {
  const ours = `${scope} | `;
  const prefix = `${ours}${precision} `;
  return {
    load: async () => {
      const database = await open(factory);
      try {
        const store = database.transaction(STORE, 'readwrite').objectStore(STORE);
        const [keys, values] = await Promise.all([done(store.getAllKeys()), done(store.getAll())]);
        const winners = new Map<string, string>();
        for (const [i, key] of (keys as string[]).entries()) {
          if (key.startsWith(prefix)) winners.set(key.slice(prefix.length), String(values[i]));
          else if (!key.startsWith(ours)) store.delete(key);
        }
        return winners;
      } finally {
        database.close();
      }
    },
    save: async (shapeKey, winner) => {
      const database = await open(factory);
      try {
        await done(
          database
            .transaction(STORE, 'readwrite')
            .objectStore(STORE)
            .put(winner, prefix + shapeKey),
        );
      } finally {
        database.close();
      }
    },
  };
}

function open(factory: IDBFactory): Promise<IDBDatabase> {
  const request = factory.open(DATABASE, 1);
  request.addEventListener('upgradeneeded', () => request.result.createObjectStore(STORE));
  return done(request);
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener('success', () => resolve(request.result));
    request.addEventListener('error', () => reject(request.error!));
  });
}
