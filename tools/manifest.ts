/** Writes deploy/kubernetes/poplin.yaml: what the chart in deploy/helm/poplin gives by default. `--check`: only says whether it is that. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toolPath } from './kube-tools.ts';

const root = join(import.meta.dirname, '..');
export const CHART = join(root, 'deploy/helm/poplin');
export const MANIFEST = join(root, 'deploy/kubernetes/poplin.yaml');

const HEADER = `# Poplin on a Kubernetes cluster: kubectl apply -f poplin.yaml
# Generated from deploy/helm/poplin by "node tools/manifest.ts". What to change first: image and net-conf.json.
`;

/** The chart's objects, as helm renders them; throws with what helm says. */
export function renderChart(...options: readonly string[]): string {
  return execFileSync(toolPath('helm'), ['template', 'poplin', CHART, ...options], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** The manifest as it should be. */
export const manifestText = (): string => HEADER + renderChart().replaceAll(/^# Source: .*\n/gm, '');

if (import.meta.main) {
  const text = manifestText();
  if (!process.argv.includes('--check')) writeFileSync(MANIFEST, text);
  else if (readFileSync(MANIFEST, 'utf8') !== text) {
    process.stderr.write(
      'deploy/kubernetes/poplin.yaml is not what the chart gives: node tools/manifest.ts\n',
    );
    process.exitCode = 1;
  }
}
