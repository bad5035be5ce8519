/** BGP-4: the words its parts share. Codec, sessions, tables and the rest are modules of their own below. */
export type { Asn, Nlri, PathAttributes, RouteFamily, RouterId } from './model.ts';
export type { Agreed, RouteUpdate, SessionNews, SessionSend } from './ports.ts';
