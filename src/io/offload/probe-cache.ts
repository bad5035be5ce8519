/**
 * The kernel's findings, probed once for each boot and kept in a file. The file says which kernel and boot it speaks of; anything
 * else in it, or an experiment that could not be made, means: probe.
 */
import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { dirname } from 'node:path';
import type { Logger } from 'pino';
import type { KernelFindings } from '#core/offload/index.ts';
import { atomicWrite, ensureDir, readTextIfExists } from '#io/files/index.ts';
import { probeKernel } from './kernel-probe.ts';

/** Goes up when the experiment changes, so that a new agent does not trust an old one's findings. */
const EDITION = 1;

interface Record {
  readonly edition: number;
  readonly kernel: string;
  readonly boot: string;
  readonly findings: KernelFindings;
}

interface KernelFindingsOptions {
  readonly cacheFile: string;
  readonly logger: Logger;
  /** The experiment; probeKernel if absent. */
  readonly probe?: () => Promise<KernelFindings>;
}

/** Never rejects: a file that cannot be read or written costs a probe, and is logged. */
export async function kernelFindings(options: KernelFindingsOptions): Promise<KernelFindings> {
  const { cacheFile, logger, probe = probeKernel } = options;
  const present = { edition: EDITION, kernel: release(), boot: bootId() };
  const known = await readRecord(cacheFile);
  if (known?.edition === EDITION && known.kernel === present.kernel && known.boot === present.boot)
    return known.findings;
  const started = performance.now();
  const findings = await probe();
  logger.info({ findings, tookMs: Math.round(performance.now() - started) }, 'checksum offload probed');
  if (isDecided(findings)) {
    try {
      await ensureDir(dirname(cacheFile));
      await atomicWrite(cacheFile, `${JSON.stringify({ ...present, findings } satisfies Record)}\n`);
    } catch (error) {
      logger.warn({ err: error }, 'checksum offload findings not kept');
    }
  }
  return findings;
}

function isDecided(findings: KernelFindings): boolean {
  return Object.values(findings).every(
    ({ overlay, bare }) => overlay.verdict !== 'unknown' && bare.verdict !== 'unknown',
  );
}

/** Undefined if there is none, or none that can be used. */
async function readRecord(path: string): Promise<Record | undefined> {
  try {
    const text = await readTextIfExists(path);
    return text === undefined ? undefined : (JSON.parse(text) as Record);
  } catch {
    return undefined;
  }
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}
