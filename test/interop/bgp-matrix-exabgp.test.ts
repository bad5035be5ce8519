/** Every feature of BGP that ExaBGP has (bgp/matrix/features.ts). */
import { describeMatrix } from './bgp/matrix/index.ts';

describeMatrix('ExaBGP');
