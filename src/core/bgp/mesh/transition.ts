/**
 * From the sessions that are there to those that are wanted, without a gap: none is dropped before its successors are up and have told all they
 * know, and nothing is known by it alone. Whoever reflected goes on for as long as others lean on it: those drop it, and not the other way round.
 */
import type { HeldSession, MeshSession } from './model.ts';

/** The sessions to have now, sorted by peer. With nothing held it is what is wanted. */
export function nextSessions(
  wanted: readonly MeshSession[],
  held: readonly HeldSession[],
): readonly MeshSession[] {
  const wantedPeers = new Set(wanted.map(({ peer }) => peer));
  const byPeer = new Map(held.map((session) => [session.peer, session]));
  const isReady = wanted.every(({ peer }) => {
    const session = byPeer.get(peer);
    return session?.isEstablished === true && session.isComplete;
  });
  const leaning = held.filter(
    ({ peer, role, isEstablished }) => !wantedPeers.has(peer) && role === 'client' && isEstablished,
  );
  const kept = held.filter((session) => {
    if (wantedPeers.has(session.peer) || !session.isEstablished) return false;
    if (session.role === 'client') return true;
    // Who still has clients to leave it must reach all other reflectors for them.
    if (session.role === 'mesh' && leaning.length > 0) return true;
    return !(isReady && session.isRedundant);
  });
  const sessions = wanted.map((session) => {
    // A peer that leans on us does so until it has others, even if it is to be another's peer.
    const isLeaning = byPeer.get(session.peer)?.role === 'client' && session.role !== 'client';
    return isLeaning && !isReady ? { peer: session.peer, role: 'client' as const } : session;
  });
  return [...sessions, ...kept.map(({ peer, role }) => ({ peer, role }))].sort((a, b) =>
    a.peer < b.peer ? -1 : 1,
  );
}
