/**
 * The check of source MAC addresses (`macspoofchk`): frames that come in by a guarded port are dropped unless their source is the
 * container's own address. Two elements for each port, whatever their number.
 */
import type { MacAddress } from '#base/ip/index.ts';
import { act, element, field, match, type NftSet, type NftTable, rule } from '#core/nft/index.ts';
import { baseChain, cniTable, type NatObjects, PRIORITY, set } from '../nat/index.ts';

const table: NftTable = { ...cniTable, family: 'bridge' };
const guarded: NftSet = { ...set('guarded-ports', ['ifname']), family: 'bridge' };
const allowed: NftSet = { ...set('guarded-macs', ['ifname', 'ether_addr']), family: 'bridge' };

/** Guards the host's end of a container's pair. */
export function guardMac(port: string, mac: MacAddress): NatObjects {
  return {
    shared: [
      table,
      guarded,
      allowed,
      {
        ...baseChain('mac-guard', 'prerouting', 'filter', PRIORITY.raw, []),
        family: 'bridge',
        rules: [
          rule('bridge', [
            match.inSet(field.iifname, guarded),
            match.notInSet([field.iifname, field.etherSaddr], allowed),
            act.counter,
            act.drop,
          ]),
        ],
      },
    ],
    own: [element(guarded, [port]), element(allowed, [port, mac])],
  };
}
