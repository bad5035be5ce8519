/** The report: every check in turn, each with one finding or more. */
import type { CheckName, Finding, HostFacts, InstallPlan } from './facts.ts';
import { checkKernel, checkPrivileges, checkSysctls } from './kernel-checks.ts';
import {
  checkFirewalls,
  checkForward,
  checkMtu,
  checkNetworkd,
  checkNmLinks,
  checkPorts,
} from './network-checks.ts';
import { checkCniConfig, checkFlanneld, checkFolders, checkRemains } from './place-checks.ts';

type Check = (facts: HostFacts, plan: InstallPlan) => Finding[];

const CHECKS: Readonly<Record<CheckName, Check>> = {
  privileges: checkPrivileges,
  kernel: checkKernel,
  sysctl: checkSysctls,
  port: checkPorts,
  mtu: checkMtu,
  firewall: checkFirewalls,
  forward: checkForward,
  networkd: checkNetworkd,
  networkmanager: checkNmLinks,
  'cni-config': checkCniConfig,
  remains: checkRemains,
  flanneld: checkFlanneld,
  folders: checkFolders,
};

/** What is so on the host, in the order of CHECK_NAMES; every check has its say. */
export function checkHost(facts: HostFacts, plan: InstallPlan): Finding[] {
  return Object.values(CHECKS).flatMap((check) => check(facts, plan));
}

/** Where one of them is a problem, Poplin does not work here as planned. */
export const hasProblem = (findings: readonly Finding[]): boolean =>
  findings.some(({ level }) => level === 'problem');
