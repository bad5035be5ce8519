/** Every feature of BGP that GoBGP has (bgp/matrix/features.ts). */
import { describeMatrix } from './bgp/matrix/index.ts';

describeMatrix('GoBGP');
