/** Every feature of BGP that FRR has (bgp/matrix/features.ts). */
import { describeMatrix } from './bgp/matrix/index.ts';

describeMatrix('FRR');
