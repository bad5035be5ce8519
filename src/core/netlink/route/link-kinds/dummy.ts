/** IFLA_INFO_DATA of kind dummy: it has none of its own. */
import { attributes } from '../../attribute.ts';

export const dummyDetail = attributes({});
