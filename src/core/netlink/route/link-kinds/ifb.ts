/** IFLA_INFO_DATA of kind ifb: it has none of its own. */
import { attributes } from '../../attribute.ts';

export const ifbDetail = attributes({});
