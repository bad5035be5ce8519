export { ipvlanPlugin } from './ipvlan.ts';
export { macvlanPlugin } from './macvlan.ts';
export { vlanPlugin } from './vlan.ts';
