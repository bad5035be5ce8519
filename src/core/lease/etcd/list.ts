/** All keys of a range as they stood at one revision, fetched a page at a time, so that no answer is large. */
import {
  type EtcdCallOptions,
  type EtcdClient,
  type EtcdKeyValue,
  type EtcdRange,
  isOutOfHistory,
} from './ports.ts';

/** Keys in one answer: with flannel's values some 100 KiB. */
const PAGE_KEYS = 500;
const MAX_ATTEMPTS = 5;

export interface EtcdListing {
  readonly revision: number;
  readonly kvs: readonly EtcdKeyValue[];
}

/** Throws what the client throws. A revision that is compacted between two pages begins the list anew. */
export async function listRange(
  client: Pick<EtcdClient, 'range'>,
  range: EtcdRange,
  options: EtcdCallOptions & { readonly pageKeys?: number } = {},
): Promise<EtcdListing> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await listOnce(client, range, options);
    } catch (error) {
      if (!isOutOfHistory(error) || attempt === MAX_ATTEMPTS) throw error;
    }
  }
}

async function listOnce(
  client: Pick<EtcdClient, 'range'>,
  { key, end }: EtcdRange,
  { pageKeys = PAGE_KEYS, ...options }: EtcdCallOptions & { readonly pageKeys?: number },
): Promise<EtcdListing> {
  const kvs: EtcdKeyValue[] = [];
  let [from, revision] = [key, 0];
  for (;;) {
    const at = revision === 0 ? {} : { revision };
    const page = await client.range(
      { key: from, ...(end === undefined ? {} : { end }), limit: pageKeys, ...at },
      options,
    );
    if (revision === 0) revision = page.revision;
    kvs.push(...page.kvs);
    const last = page.kvs.at(-1);
    if (!page.more || last === undefined) return { revision, kvs };
    // the least key above the last one
    from = `${last.key}\0`;
  }
}
