/** Every feature of BGP that BIRD has (bgp/matrix/features.ts). */
import { describeMatrix } from './bgp/matrix/index.ts';

describeMatrix('BIRD');
